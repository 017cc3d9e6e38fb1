//! The targets of a running server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::running_ledger::RunningLedger;
use crate::domain::{ErrorCodes, Rule};
use crate::forward::job::Job;
use crate::forward::metrics::ForwardMetrics;
use crate::forward::target::Target;
use crate::forward::worker::{self, Handle};
use crate::http::CallbackState;
use crate::store;
use crate::store::forward::fit;

/// How long the targets may take to end, together.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// The running targets.
pub struct Forwarding(Vec<Handle>);

/// Has targets continue at the end of a log that was restored, before anything is appended to it.
pub fn continue_at_end(ledger: &RunningLedger) {
    let corrected = match store::open_forward_store(&ledger.database) {
        Ok(Some(mut forward)) => fit::continue_at_end(&*ledger.store, &mut *forward),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = corrected {
        tracing::warn!(%error, "the state of forwarding cannot be compared with the log");
    }
}

/// Starts a thread for each target.
pub fn start(
    targets: Vec<Target>,
    ledger: &RunningLedger,
    rule: Rule,
    receiving: &CallbackState,
    error_codes: &Arc<ErrorCodes>,
    metrics: &ForwardMetrics,
) -> Forwarding {
    if !targets.is_empty()
        && let Err(error) = store::create_forward_store(&ledger.database)
    {
        // Each target tries again; if they made the file at the same time, all but one would fail.
        tracing::warn!(%error, "the state of forwarding cannot be stored");
    }
    let start = |target: Target| {
        worker::start(Job {
            metrics: metrics.of(&target.name),
            target,
            database: ledger.database.clone(),
            store: Arc::clone(&ledger.store),
            head_at_start: ledger.projection.head(),
            projection: ledger.projection.clone(),
            lead: ledger.lead.clone(),
            rule,
            accounts: Arc::clone(&receiving.accounts),
            error_codes: Arc::clone(error_codes),
        })
    };
    Forwarding(targets.into_iter().map(start).collect())
}

impl Forwarding {
    /// Asks all targets to end.
    pub fn stop(&self) {
        self.0.iter().for_each(Handle::stop);
    }

    /// Waits a bounded time until they have.
    pub fn finish(self) {
        self.stop();
        let deadline = Instant::now() + END_PATIENCE;
        while !self.0.iter().all(Handle::is_finished) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
