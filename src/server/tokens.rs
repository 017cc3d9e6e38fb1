//! The configured API tokens as the admin listener checks them.

use secrecy::ExposeSecret;

use crate::config::{ApiScope, ApiToken};
use crate::http::auth::tokens::{Scope, Tokens, Visibility};

/// The tokens as those who ask are held against them.
pub fn tokens(configured: &[ApiToken]) -> Tokens {
    let scope = |token: &ApiToken| match token.scope {
        ApiScope::Read => Scope { visibility: Visibility::Full, may_send: false },
        ApiScope::ReadMasked => Scope { visibility: Visibility::Masked, may_send: false },
        ApiScope::Send => Scope { visibility: Visibility::Nothing, may_send: true },
        ApiScope::ReadAndSend => Scope { visibility: Visibility::Full, may_send: true },
        ApiScope::ReadMaskedAndSend => Scope { visibility: Visibility::Masked, may_send: true },
    };
    Tokens::new(configured.iter().map(|token| (token.secret.expose_secret(), scope(token))))
}

/// Says which of the tokens could be guessed.
pub fn warn_of_short(tokens: &[ApiToken]) {
    for shortness in tokens.iter().filter_map(ApiToken::shortness) {
        tracing::warn!("{shortness}");
    }
}
