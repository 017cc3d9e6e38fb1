//! The state of the HTTP handlers, made from the configuration and the running parts.

use std::sync::Arc;

use arc_swap::ArcSwap;
use secrecy::ExposeSecret;

use super::health_checks;
use super::running_ledger::RunningLedger;
use crate::access_log::AccessLog;
use crate::config::{ApiScope, ApiToken, Read, ServerConfig, Settings};
use crate::domain::Rule;
use crate::forward::metrics::ForwardMetrics;
use crate::forward::target::Target;
use crate::http::admin::state::{Forwarding, Receiving};
use crate::http::auth::sessions::Sessions;
use crate::http::auth::tokens::{Attempts, Scope, Tokens, Visibility};
use crate::http::{
    AccessRecorder, AdminState, CallbackState, EventStreams, Limit, Lookups, MetricsRegistry,
    QuarantineRecheck, Sender,
};
use crate::projection::verify::background;
use crate::quarantine::recorder::Recorder;
use crate::reconcile::metrics::ReconcileMetrics;
use crate::seal::worker;
use crate::subaccounts::metrics::SubaccountMetrics;

/// The background parts of a server that its handlers use.
#[derive(Default)]
pub struct BackgroundParts {
    /// The settings that the checks examine; `None` if the server makes no checks.
    pub settings: Option<Settings>,
    /// The background verification; `None` if there is none.
    pub verifying: Option<background::Handle>,
    /// Sends messages; `None` if the server sends none.
    pub sending: Option<Sender>,
    /// The metrics of reconciliation.
    pub reconciled: ReconcileMetrics,
    /// The metrics of fetched subaccounts.
    pub subaccounts: SubaccountMetrics,
    /// The targets of forwarding.
    pub targets: Vec<Target>,
    /// The metrics of forwarding.
    pub forwarded: ForwardMetrics,
    /// Stores rejected requests; `None` if none is stored.
    pub recorder: Option<Recorder>,
    /// Writes access records; `None` if there are none.
    pub access_log: Option<AccessLog>,
    /// Seals the ledger; `None` if the server does not.
    pub sealing: Option<worker::Handle>,
}

/// The states of the callback listener and of the admin listener.
pub fn states(
    config: ServerConfig,
    ledger: &RunningLedger,
    rule: Rule,
    BackgroundParts {
        settings,
        verifying,
        sending,
        reconciled,
        subaccounts,
        targets,
        forwarded,
        recorder,
        access_log,
        sealing,
    }: BackgroundParts,
) -> (CallbackState, AdminState) {
    let receiving = CallbackState::new(
        config.callback_paths,
        config.public_urls,
        config.accounts,
        ledger.store.ledger_id(),
        ledger.writer.clone(),
        recorder,
    );
    let recorded = access_log.as_ref().map(AccessLog::metrics);
    let metrics = MetricsRegistry::new(
        &receiving,
        &ledger.projection,
        &reconciled,
        &subaccounts,
        &forwarded,
        recorded,
        sealing.as_ref().map(worker::Handle::metrics),
    );
    let checks = settings.map(|settings| {
        health_checks::configured(settings, ledger, &receiving, config.admin_listen)
    });
    let recheck = Arc::new(QuarantineRecheck::new(ledger.database.clone(), &receiving));
    let first_path = receiving.callback_paths.first();
    let admin = AdminState {
        receiving: Receiving {
            listen: config.listen,
            path: first_path.map_or_else(String::new, |path| path.as_given().to_owned()),
            public_url: receiving.public_urls.first().map(|url| url.as_given().to_owned()),
        },
        store: ledger.store.clone(),
        writer: ledger.writer.clone(),
        lead: ledger.lead.clone(),
        projection: ledger.projection.clone(),
        verifying,
        rule,
        error_codes: Arc::new(config.error_codes),
        default_country: config.default_country,
        time_zone: config.time_zone,
        names: Arc::new(ArcSwap::from_pointee(config.account_names)),
        tokens: Arc::new(ArcSwap::from_pointee(api_tokens(&config.api_tokens))),
        attempts: Attempts::default(),
        sessions: Sessions::default(),
        checks,
        recheck,
        access: access_log.map(AccessRecorder::new),
        forwarding: Forwarding { database: ledger.database.clone(), targets },
        lookups: Lookups::default(),
        streams: EventStreams::default(),
        exports: Limit::exports(),
        jobs: ledger.jobs.clone(),
        sending,
        erase_after: config.erase_after,
        sealing,
        metrics,
        admin_hosts: config.admin_hosts,
    };
    (receiving, admin)
}

/// The API tokens in the form in which requests are checked against them.
pub fn api_tokens<'a>(configured: &'a [ApiToken]) -> Tokens {
    let scope = |ApiScope { read, find, send, operate }| Scope {
        visibility: match read {
            None => Visibility::Nothing,
            Some(Read::Masked) => Visibility::Masked,
            Some(Read::Everything) => Visibility::Full,
        },
        may_find: find,
        may_send: send,
        may_operate: operate,
    };
    let named =
        |token: &'a ApiToken| (&*token.name, token.secret.expose_secret(), scope(token.scope));
    Tokens::new(configured.iter().map(named))
}
