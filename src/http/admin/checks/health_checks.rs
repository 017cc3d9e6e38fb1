//! Runs the checks in a server, one run at a time, and keeps the last report.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::checks::callback_counts::RecentCallbacks;
use crate::checks::finding::Outcome;
use crate::checks::report::CheckReport;
use crate::checks::server::running_server::RunningServer;
use crate::domain::Timestamp;
use crate::http::callbacks::minute_counters::MinuteCounters;

/// A report this recent is returned again, so that many clients cause no more work than one.
const AGE_MAX: Duration = Duration::from_secs(2);

/// How long other pages show the result of a run.
const SHOWN_FOR: Duration = Duration::from_secs(60);

/// Runs every check, with the state of the server.
pub type RunChecks = dyn Fn(RunningServer) -> CheckReport + Send + Sync;

/// Reads when the last backup ended; `None` if none is known.
pub type ReadLastBackup = dyn Fn() -> Option<Timestamp> + Send + Sync;

/// The checks on one server.
pub struct HealthChecks {
    run: Box<RunChecks>,
    /// Locked during a run.
    running: Mutex<()>,
    last: ArcSwapOption<(Instant, Arc<CheckReport>)>,
    recent: Arc<MinuteCounters>,
    last_backup: Box<ReadLastBackup>,
}

impl HealthChecks {
    /// Checks that run this, on a server that counts its callbacks here.
    pub fn new(
        run: Box<RunChecks>,
        recent: Arc<MinuteCounters>,
        last_backup: Box<ReadLastBackup>,
    ) -> Self {
        Self { run, running: Mutex::new(()), last: ArcSwapOption::empty(), recent, last_backup }
    }

    /// When the last backup ended; `None` if none is known. Reads a small file.
    pub fn last_backup(&self) -> Option<Timestamp> {
        (self.last_backup)()
    }

    /// The callbacks of the last minutes.
    pub fn recent(&self) -> RecentCallbacks {
        self.recent.read()
    }

    /// The report of the last run; `None` before the first.
    pub fn last(&self) -> Option<Arc<CheckReport>> {
        self.last.load().as_ref().map(|last| Arc::clone(&last.1))
    }

    /// The number of checks that failed in the last run; 0 before the first.
    pub fn last_failed(&self) -> usize {
        self.last().map_or(0, |report| report.count(Outcome::Fail))
    }

    /// True if the last run is too long ago to be shown on other pages, and none is running.
    pub fn is_old(&self) -> bool {
        let is_recent = |last: &Arc<(Instant, _)>| last.0.elapsed() < SHOWN_FOR;
        !self.last.load().as_ref().is_some_and(is_recent) && self.running.try_lock().is_ok()
    }

    /// The report of a run that began at most two seconds ago; `server` is the state of this one. Blocks.
    pub fn current(&self, server: impl FnOnce() -> RunningServer) -> Arc<CheckReport> {
        let _alone = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = self.last.load_full().filter(|last| last.0.elapsed() < AGE_MAX) {
            return Arc::clone(&last.1);
        }
        let began = Instant::now();
        let server = RunningServer { recent: Some(self.recent.read()), ..server() };
        let report = Arc::new((self.run)(server));
        self.last.store(Some(Arc::new((began, Arc::clone(&report)))));
        report
    }
}
