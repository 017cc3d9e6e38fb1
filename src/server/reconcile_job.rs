//! Periodic reconciliation in a running server, if it is configured.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::running_ledger::RunningLedger;
use crate::background::Background;
use crate::config::{Reconciling, ServerConfig, Settings};
use crate::domain::AccountSid;
use crate::reconcile::metrics::ReconcileMetrics;
use crate::reconcile::worker::{self, Job};
use crate::reconcile::{REQUESTS_MAX, ReconcilePlan};
use crate::store::Database;
use crate::twilio_api::{Client, Credentials, RequestLimits};

/// How long a run waits for the views to catch up before it is postponed.
const PATIENCE: Duration = Duration::from_secs(2);

/// A job with everything it needs except the ledger, so that wrong settings are reported before the
/// ledger is opened.
pub struct ReconcileJob {
    every: Duration,
    configured: Reconciling,
    database: Database,
    client: Client,
    settings: Settings,
    accounts: BTreeMap<AccountSid, Credentials>,
}

impl ReconcileJob {
    /// The configured job; `None` if reconciliation is off.
    pub fn configured(settings: &Settings, config: &ServerConfig) -> Result<Option<Self>> {
        let configured = config.reconciling.clone();
        let Some(every) = configured.every else { return Ok(None) };
        Ok(Some(Self {
            every,
            configured,
            database: settings.database()?,
            client: settings.twilio_client(RequestLimits::new(u64::MAX, || false))?,
            accounts: settings.credentials(None)?,
            settings: settings.clone(),
        }))
    }

    /// Starts the job's thread.
    pub fn start(self, ledger: &RunningLedger, metrics: &ReconcileMetrics) -> Background {
        let Self { every, configured, database, client, settings, accounts } = self;
        let (projection, lead) = (ledger.projection.clone(), ledger.lead.clone());
        worker::start(Job {
            database,
            every,
            requests_max: configured.requests_max.unwrap_or(REQUESTS_MAX),
            plan: Box::new(move || configured_plan(&configured)),
            ready: Box::new(move || {
                lead.is_held() && projection.wait_for_short_tail(Instant::now() + PATIENCE)
            }),
            client,
            // Tokens change while a server runs; if a file cannot be read, those of the start are used.
            accounts: Box::new(move || {
                let now = settings.reread().and_then(|settings| settings.credentials(None));
                now.unwrap_or_else(|_| accounts.clone())
            }),
            lead: ledger.lead.clone(),
            metrics: metrics.clone(),
        })
    }
}

/// The plan of a run that starts now, as configured.
pub fn configured_plan(configured: &Reconciling) -> ReconcilePlan {
    let usual = ReconcilePlan::default();
    ReconcilePlan {
        older_than: configured.older_than.unwrap_or(usual.older_than),
        give_up_after: configured.give_up_after.unwrap_or(usual.give_up_after),
        keep_content: configured.keep_content,
        prices: configured.prices,
        ..usual
    }
}
