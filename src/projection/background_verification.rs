//! The thread that reads the log again and again while a server runs, at little cost, to see
//! whether it is still what it was.

use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::verify::{Finding, LogVerified, verify_log};
use super::{ProjectionError, throttle};
use crate::domain::{Position, Timestamp};
use crate::store::{self, Access, Database};

/// When the first round begins, so that a server that is often restarted is verified at all.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// How long it rests for each moment that it works: one twentieth of a core is taken at most.
const RESTS: u32 = 19;

/// How many findings are told in full; `verify` lists them all.
const FINDINGS_TOLD_MAX: usize = 5;

/// What the last round came to.
#[derive(Debug, Clone)]
pub struct LastRun {
    pub ended_at: Timestamp,
    /// The head when it began, which it read up to; the reason why it did not get there.
    pub reached: Result<Position, String>,
    pub findings: Vec<Finding>,
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
    last_run: Option<LastRun>,
}

/// Starts the thread. It has a reader of its own, and so sees the files as another process does.
pub fn start(database: Database, every: Duration) -> Handle {
    let shared = Arc::new(Shared::default());
    let handle = Handle { shared: Arc::clone(&shared) };
    let _detached = std::thread::Builder::new()
        .name("verify".into())
        .spawn(move || run(&database, &shared, every))
        .expect("the system starts a thread");
    handle
}

impl Handle {
    /// What the last round came to; nothing before the first has ended.
    pub fn last_run(&self) -> Option<LastRun> {
        self.shared.state().last_run.clone()
    }

    /// Asks the thread to end, within the read that it is at.
    pub fn stop(&self) {
        self.shared.state().stop = true;
        self.shared.stopped.notify_all();
    }
}

fn run(database: &Database, shared: &Shared, every: Duration) {
    throttle::lower_priority(throttle::NICEST);
    let mut wait = every.min(FIRST_WAIT);
    while shared.sleep(wait).is_continue() {
        let verified = round(database, shared);
        if matches!(verified, Err(ProjectionError::Stopped)) {
            return;
        }
        let last_run = LastRun::of(verified);
        tell(&last_run);
        shared.state().last_run = Some(last_run);
        wait = every;
    }
}

fn round(database: &Database, shared: &Shared) -> Result<LogVerified, ProjectionError> {
    let store = store::open(database, Access::Read)?;
    let head = store.head()?;
    let mut began = Instant::now();
    verify_log(&*store, head, &mut |_| {
        let go_on = shared.sleep(began.elapsed() * RESTS);
        began = Instant::now();
        go_on
    })
}

impl LastRun {
    fn of(verified: Result<LogVerified, ProjectionError>) -> Self {
        let ended_at = Timestamp::from(OffsetDateTime::now_utc());
        match verified {
            Ok(LogVerified { head, findings, .. }) => {
                Self { ended_at, reached: Ok(head), findings }
            }
            Err(error) => Self { ended_at, reached: Err(error.to_string()), findings: Vec::new() },
        }
    }
}

fn tell(round: &LastRun) {
    match &round.reached {
        Ok(head) if round.findings.is_empty() => {
            tracing::info!("the log was verified up to position {head}: nothing is wrong");
        }
        Ok(head) => tracing::error!(
            findings = round.findings.len(),
            "the log was verified up to position {head}, and something is wrong; run verify"
        ),
        Err(error) => tracing::error!(%error, "the log could not be verified"),
    }
    for Finding { kind, detail, .. } in round.findings.iter().take(FINDINGS_TOLD_MAX) {
        tracing::error!("{}: {}", kind.name(), detail.escape_debug());
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, unless the thread is to stop.
    fn sleep(&self, duration: Duration) -> ControlFlow<()> {
        let state = self.state();
        let waited = self.stopped.wait_timeout_while(state, duration, |state| !state.stop);
        match waited.unwrap_or_else(PoisonError::into_inner).0.stop {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}
