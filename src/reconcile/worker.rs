//! The thread that reconciles again and again while a server runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Plan, ReconcileError, Run, Summary, WINDOW, before, now};
use crate::domain::{AccountSid, NewEvent};
use crate::store::{self, Access, Database, Store, append_beside};
use crate::twilio_api::{Client, Credentials, Failure, Limits};

/// When the first run begins, so that a server that is often restarted reconciles at all.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// What the thread needs to know.
pub struct Job {
    pub database: Database,
    pub every: Duration,
    pub plan: Plan,
    pub requests_max: u64,
    pub client: Client,
    pub accounts: BTreeMap<AccountSid, Credentials>,
    pub state_file: PathBuf,
}

/// What it has done since the server began.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    pub runs: u64,
    /// Runs that did not come to their end.
    pub stopped: u64,
    pub requests: u64,
    pub appended: u64,
    /// Unix seconds; nothing before the first run has ended.
    pub last_ended_at: Option<f64>,
}

/// What others may know of it.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    stop: bool,
    totals: Totals,
}

/// Starts the thread.
pub fn start(job: Job) -> Handle {
    let shared = Arc::new(Shared::default());
    let handle = Handle { shared: Arc::clone(&shared) };
    let _detached = std::thread::Builder::new()
        .name("reconcile".into())
        .spawn(move || {
            let mut wait = job.every.min(FIRST_WAIT);
            while !shared.sleep(wait) {
                round(&job, &shared);
                wait = job.every;
            }
        })
        .expect("the system starts a thread");
    handle
}

impl Handle {
    /// What it has done.
    pub fn totals(&self) -> Totals {
        self.shared.state().totals.clone()
    }

    /// Asks the thread to end, within the request that it is at.
    pub fn stop(&self) {
        self.shared.state().stop = true;
        self.shared.stopped.notify_all();
    }
}

fn round(job: &Job, shared: &Arc<Shared>) {
    let asked = Arc::clone(shared);
    let limits = Limits::new(job.requests_max, move || asked.state().stop);
    let client = job.client.within(limits.clone());
    let (summary, outcome) = match store::open(&job.database, Access::Append) {
        Ok(store) => run(job, &*store, &client),
        Err(error) => (Summary::default(), Err(error.into())),
    };
    match &outcome {
        Ok(()) | Err(ReconcileError::Failure(Failure::RequestsUsedUp)) => tracing::info!(
            appended = summary.appended,
            known = summary.known,
            "reconciled with Twilio"
        ),
        Err(ReconcileError::Failure(Failure::Stopped)) => {}
        Err(error) => tracing::warn!(%error, "reconciling stopped; the next run goes on there"),
    }
    let mut state = shared.state();
    let totals = &mut state.totals;
    totals.runs += 1;
    totals.stopped += u64::from(outcome.is_err());
    totals.requests += job.requests_max - limits.requests_left();
    totals.appended += summary.appended;
    totals.last_ended_at = Some(now().micros() as f64 / 1e6);
}

fn run(job: &Job, store: &dyn Store, client: &Client) -> (Summary, Result<(), ReconcileError>) {
    let until = now();
    let window = job.plan.list.map(|_| (before(until, WINDOW), until));
    let plan = Plan { list: window, ..job.plan.clone() };
    let mut append = |events: &[NewEvent]| append_beside(store, events).map(|_| ());
    Run::new(store, client, &job.accounts, &plan, job.state_file.clone(), &mut append, &mut |_| {})
        .go()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; true where the thread is to stop.
    fn sleep(&self, duration: Duration) -> bool {
        let state = self.state();
        let waited = self.stopped.wait_timeout_while(state, duration, |state| !state.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }
}
