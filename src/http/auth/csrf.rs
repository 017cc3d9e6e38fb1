//! CSRF tokens: the proof that a form comes from a page of this server for the same session.
//!
//! A browser adds cookies, and its access to a loopback address, to the requests of any page. It adds a token only
//! if the page has it, and no other origin can read our pages.

use std::fmt;

use subtle::ConstantTimeEq;

use super::random::random_text;

/// The token of a session's forms.
#[derive(Clone)]
pub struct CsrfToken(String);

/// Whether a form of this request needs a CSRF token, and which.
#[derive(Debug, Clone)]
pub enum CsrfCheck {
    /// The client has sent an API token in a header, which browsers never add by themselves.
    NotNeeded,
    /// The form has to contain this token.
    Requires(CsrfToken),
}

impl CsrfCheck {
    /// The token that a form needs; `None` if it needs none.
    pub fn token(&self) -> Option<&CsrfToken> {
        match self {
            Self::NotNeeded => None,
            Self::Requires(token) => Some(token),
        }
    }
}

impl CsrfToken {
    /// A new token, which nobody can guess.
    pub fn random() -> Self {
        Self(random_text())
    }

    /// The text for the form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares a form's token with this one, in constant time.
    pub fn matches(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(…)")
    }
}
