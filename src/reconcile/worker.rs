//! The background job that runs reconcile at an interval while a server runs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::metrics::ReconcileMetrics;
use super::{ReconcileError, ReconcilePlan, ReconcileSummary, Run, now};
use crate::background::{Background, Stop};
use crate::domain::{AccountSid, NewEvent};
use crate::store::nodes::Lead;
use crate::store::{self, Access, Database, Store, append_when_free};
use crate::twilio_api::{Client, Credentials, RequestError, RequestLimits};

/// The delay of the first run: short, so that a server that is often restarted still reconciles.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// The input of the thread.
pub struct Job {
    /// The ledger.
    pub database: Database,
    /// The time between runs.
    pub every: Duration,
    /// Makes the plan of each run, with the current window.
    pub plan: Box<dyn Fn() -> ReconcilePlan + Send>,
    /// Returns true if this node leads, and the views are close enough to the head to decide which facts are known.
    pub ready: Box<dyn Fn() -> bool + Send>,
    /// The maximum number of requests of a run.
    pub requests_max: u64,
    /// The client for Twilio's API.
    pub client: Client,
    /// Returns the current credentials of each account.
    pub accounts: Box<dyn Fn() -> BTreeMap<AccountSid, Credentials> + Send>,
    /// A run ends with the current request once this node no longer leads.
    pub lead: Lead,
    /// The metrics of runs.
    pub metrics: ReconcileMetrics,
}

/// Starts the thread. After a stop it ends with the current request.
pub fn start(job: Job) -> Background {
    job.metrics.set_every(job.every);
    Background::spawn("reconcile", move |stop| {
        let mut wait = job.every.min(FIRST_WAIT);
        while stop.sleep(wait).is_continue() {
            if !(job.ready)() {
                wait = job.every.min(FIRST_WAIT);
                continue;
            }
            round(&job, stop);
            wait = job.every;
        }
    })
}

fn round(job: &Job, stop: &Stop) {
    let (stop, lead) = (stop.clone(), job.lead.clone());
    let is_to_end = move || stop.is_requested() || !lead.is_held();
    let limits = RequestLimits::new(job.requests_max, is_to_end);
    let client = job.client.within(limits.clone());
    let (summary, outcome) = match store::open(&job.database, Access::Append) {
        Ok(store) => run(job, &*store, &client),
        Err(error) => (ReconcileSummary::default(), Err(error.into())),
    };
    match &outcome {
        Ok(()) | Err(ReconcileError::Request(RequestError::RequestsUsedUp)) => tracing::info!(
            appended = summary.appended,
            known = summary.known,
            "reconciled with Twilio"
        ),
        Err(ReconcileError::Request(RequestError::Stopped)) => {}
        Err(error) => tracing::warn!(%error, "reconciling stopped; the next run goes on there"),
    }
    let ReconcileMetrics { runs, stopped, requests, appended, ended_at, .. } = &job.metrics;
    stopped.inc_by(outcome.is_err().into());
    requests.inc_by(job.requests_max - limits.requests_left());
    appended.inc_by(summary.appended);
    ended_at.set(now().micros() as f64 / 1e6);
    // Last, because tests wait for it and then read the others.
    runs.inc();
}

fn run(
    job: &Job,
    store: &dyn Store,
    client: &Client,
) -> (ReconcileSummary, Result<(), ReconcileError>) {
    let plan = (job.plan)();
    let accounts = (job.accounts)();
    let mut append = |events: &[NewEvent]| append_when_free(store, events).map(|_| ());
    Run::new(store, client, &accounts, &plan, &mut append, &mut |_| {}).go()
}
