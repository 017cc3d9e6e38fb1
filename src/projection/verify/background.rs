//! The thread that verifies the log at regular intervals while a server runs, at little cost.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::{Finding, LogVerified, verify_log};
use crate::background::{Background, Stop};
use crate::domain::{Position, Timestamp};
use crate::projection::{ProjectionError, throttle};
use crate::store::nodes::Lead;
use crate::store::{self, Access, Database};

/// The delay before the first run, short enough for servers that are restarted often.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// The ratio of rest to work: at most a twentieth of a core is used.
const RESTS: u32 = 19;

/// Maximum findings that are logged; `verify` lists them all.
const FINDINGS_LOGGED_MAX: usize = 5;

/// The result of the last run.
#[derive(Debug, Clone)]
pub struct LastRun {
    /// When the run ended.
    pub ended_at: Timestamp,
    /// The head at its start, up to which it read; the error if it did not get there.
    pub reached: Result<Position, String>,
    /// What it found; empty if nothing is wrong.
    pub findings: Vec<Finding>,
}

/// A handle to the thread.
#[derive(Clone)]
pub struct Handle {
    stop: Stop,
    last_run: Arc<Mutex<Option<LastRun>>>,
}

/// Starts the thread. It opens the ledger itself, and so sees the files as another process does. It verifies only
/// while this node leads.
pub fn start(database: Database, every: Duration, lead: Lead) -> Handle {
    let last_run = Arc::default();
    let result = Arc::clone(&last_run);
    let thread =
        Background::spawn("verify", move |stop| run(&database, &result, every, &lead, stop));
    Handle { stop: thread.stop_signal(), last_run }
}

impl Handle {
    /// The result of the last run; `None` before the first has ended.
    pub fn last_run(&self) -> Option<LastRun> {
        lock(&self.last_run).clone()
    }

    /// Asks the thread to stop within the current read.
    pub fn stop(&self) {
        self.stop.request();
    }
}

fn run(
    database: &Database,
    result: &Mutex<Option<LastRun>>,
    every: Duration,
    lead: &Lead,
    stop: &Stop,
) {
    throttle::lower_priority(throttle::NICEST);
    let mut wait = every.min(FIRST_WAIT);
    while stop.sleep(wait).is_continue() {
        if !lead.is_held() {
            wait = every.min(FIRST_WAIT);
            continue;
        }
        let verified = verify_once(database, lead, stop);
        if matches!(verified, Err(ProjectionError::Stopped)) {
            // It has lost the lead, or is to end.
            continue;
        }
        let last_run = LastRun::new(verified);
        log_result(&last_run);
        *lock(result) = Some(last_run);
        wait = every;
    }
}

fn verify_once(
    database: &Database,
    lead: &Lead,
    stop: &Stop,
) -> Result<LogVerified, ProjectionError> {
    let store = store::open(database, Access::Read)?;
    let head = store.head()?;
    let mut began = Instant::now();
    verify_log(&*store, head, &mut |_| {
        let go_on = stop.sleep(began.elapsed() * RESTS);
        began = Instant::now();
        if lead.is_held() { go_on } else { ControlFlow::Break(()) }
    })
}

impl LastRun {
    fn new(verified: Result<LogVerified, ProjectionError>) -> Self {
        let ended_at = Timestamp::from(OffsetDateTime::now_utc());
        match verified {
            Ok(LogVerified { head, findings, .. }) => {
                Self { ended_at, reached: Ok(head), findings }
            }
            Err(error) => Self { ended_at, reached: Err(error.to_string()), findings: Vec::new() },
        }
    }
}

fn log_result(run: &LastRun) {
    match &run.reached {
        Ok(head) if run.findings.is_empty() => {
            tracing::info!("the log was verified up to position {head}: nothing is wrong");
        }
        Ok(head) => tracing::error!(
            findings = run.findings.len(),
            "the log was verified up to position {head}, and something is wrong; run verify"
        ),
        Err(error) => tracing::error!(%error, "the log could not be verified"),
    }
    for Finding { kind, detail, .. } in run.findings.iter().take(FINDINGS_LOGGED_MAX) {
        tracing::error!("{}: {}", kind.name(), detail.escape_debug());
    }
}

fn lock(last_run: &Mutex<Option<LastRun>>) -> MutexGuard<'_, Option<LastRun>> {
    last_run.lock().unwrap_or_else(PoisonError::into_inner)
}
