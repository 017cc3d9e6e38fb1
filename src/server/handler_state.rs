//! The state of the HTTP handlers, made from the configuration and the running parts.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::ledger_process::LedgerProcess;
use crate::config::{ApiScope, ApiToken, ServerConfig};
use crate::domain::Rule;
use crate::http::auth::tokens::{Attempts, Scope, Sees, Tokens};
use crate::http::{Admin, CallbackState, Exports, InUse, Metrics, Sending, Streams};
use crate::projection::background_verification;
use crate::quarantine::keeper::Keeper;
use crate::reconcile::metrics::ReconcileMetrics;

/// What runs in the background of a server, as far as the handlers need it.
#[derive(Default)]
pub struct BackgroundParts {
    pub verifying: Option<background_verification::Handle>,
    pub sending: Option<Sending>,
    pub reconciled: ReconcileMetrics,
    pub keeper: Option<Keeper>,
}

/// The states of the callback listener and of the admin listener.
pub fn states(
    config: ServerConfig,
    ledger: &LedgerProcess,
    rule: Rule,
    BackgroundParts { verifying, sending, reconciled, keeper }: BackgroundParts,
) -> (CallbackState, Admin) {
    let receiving = CallbackState::new(
        config.callback_paths,
        config.public_urls,
        config.accounts,
        ledger.writer.clone(),
        keeper,
    );
    let metrics = Metrics::of(&receiving, &ledger.projection, &reconciled);
    let admin = Admin {
        store: ledger.store.clone(),
        writer: ledger.writer.clone(),
        projection: ledger.projection.clone(),
        verifying,
        rule,
        tokens: Arc::new(InUse::new(api_tokens(&config.api_tokens))),
        attempts: Attempts::default(),
        streams: Streams::default(),
        exports: Exports::default(),
        sending,
        metrics,
        admin_hosts: config.admin_hosts,
    };
    (receiving, admin)
}

/// The API tokens in the form in which requests are checked against them.
pub fn api_tokens(configured: &[ApiToken]) -> Tokens {
    let scope = |token: &ApiToken| match token.scope {
        ApiScope::Read => Scope { sees: Sees::Everything, sends: false },
        ApiScope::ReadMasked => Scope { sees: Sees::Masked, sends: false },
        ApiScope::Send => Scope { sees: Sees::Nothing, sends: true },
        ApiScope::ReadAndSend => Scope { sees: Sees::Everything, sends: true },
        ApiScope::ReadMaskedAndSend => Scope { sees: Sees::Masked, sends: true },
    };
    Tokens::new(configured.iter().map(|token| (token.secret.expose_secret(), scope(token))))
}
