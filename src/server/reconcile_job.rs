//! Reconciling by itself while a server runs, as it is configured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::ledger_process::LedgerProcess;
use crate::background::Background;
use crate::config::{Reconciling, ServerConfig, Settings};
use crate::domain::AccountSid;
use crate::reconcile::metrics::ReconcileMetrics;
use crate::reconcile::worker::{self, Job};
use crate::reconcile::{Plan, REQUESTS_MAX, state_file};
use crate::store::Database;
use crate::twilio_api::{Client, Credentials, Limits};

/// How long a run waits for views that are behind before it is put off.
const PATIENCE: Duration = Duration::from_secs(2);

/// All that it takes but the ledger, so that what is wrong ends a server before there is one.
pub struct ReconcileJob {
    every: Duration,
    configured: Reconciling,
    database: Database,
    client: Client,
    settings: Settings,
    accounts: BTreeMap<AccountSid, Credentials>,
    state_file: PathBuf,
}

impl ReconcileJob {
    /// As it is configured; nothing where it is off.
    pub fn configured(settings: &Settings, config: &ServerConfig) -> Result<Option<Self>> {
        let configured = config.reconciling.clone();
        let Some(every) = configured.every else { return Ok(None) };
        Ok(Some(Self {
            every,
            configured,
            database: settings.database()?,
            client: settings.twilio_client(Limits::new(u64::MAX, || false))?,
            accounts: settings.credentials(None)?,
            settings: settings.clone(),
            state_file: state_file(&settings.database()?.log_file()),
        }))
    }

    /// Starts it beside a ledger at work.
    pub fn start(self, running: &LedgerProcess, metrics: &ReconcileMetrics) -> Background {
        let Self { every, configured, database, client, settings, accounts, state_file } = self;
        let projection = running.projection.clone();
        worker::start(Job {
            database,
            every,
            requests_max: configured.requests_max.unwrap_or(REQUESTS_MAX),
            plan: Box::new(move || configured_plan(&configured)),
            ready: Box::new(move || projection.wait_for_short_tail(Instant::now() + PATIENCE)),
            client,
            // Tokens change while a server runs; where a file cannot be read, those of its start count.
            accounts: Box::new(move || {
                let now = settings.reread().and_then(|settings| settings.credentials(None));
                now.unwrap_or_else(|_| accounts.clone())
            }),
            state_file,
            metrics: metrics.clone(),
        })
    }
}

/// What a configuration asks for, of this moment.
pub fn configured_plan(configured: &Reconciling) -> Plan {
    let usual = Plan::default();
    Plan {
        older_than: configured.older_than.unwrap_or(usual.older_than),
        give_up_after: configured.give_up_after.unwrap_or(usual.give_up_after),
        keep_content: configured.keep_content,
        ..usual
    }
}
