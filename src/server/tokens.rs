//! The configured API tokens as the admin listener checks them.

use secrecy::ExposeSecret;

use crate::config::{ApiScope, ApiToken};
use crate::http::auth::tokens::{Scope, Sees, Tokens};

/// The tokens as those who ask are held against them.
pub fn tokens(configured: &[ApiToken]) -> Tokens {
    let scope = |token: &ApiToken| match token.scope {
        ApiScope::Read => Scope { sees: Sees::Everything, sends: false },
        ApiScope::ReadMasked => Scope { sees: Sees::Masked, sends: false },
        ApiScope::Send => Scope { sees: Sees::Nothing, sends: true },
        ApiScope::ReadAndSend => Scope { sees: Sees::Everything, sends: true },
        ApiScope::ReadMaskedAndSend => Scope { sees: Sees::Masked, sends: true },
    };
    Tokens::new(configured.iter().map(|token| (token.secret.expose_secret(), scope(token))))
}

/// Says which of the tokens could be guessed.
pub fn warn_of_short(tokens: &[ApiToken]) {
    for shortness in tokens.iter().filter_map(ApiToken::shortness) {
        tracing::warn!("{shortness}");
    }
}
