//! The thread that keeps the views up to date while a server runs.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::batch::prepare::BATCH_EVENTS_MAX;
use super::catch_up::catch_up_by_batches;
use super::compatibility::{ViewsState, reset_if_incompatible};
use super::metrics::ProjectionMetrics;
use super::read_again::reset_if_misread;
use super::{ProjectionError, message_query};
use crate::background::{Background, Stop};
use crate::domain::{Position, Rule};
use crate::store::head::Head;
use crate::store::nodes::{Lead, POLL_INTERVAL};
use crate::store::{Store, StoreError};

/// How long events wait to be projected in one batch. Projecting after every commit would cost a third of the
/// ingest rate.
const BATCH_WAIT: Duration = Duration::from_millis(100);

/// The same on a ledger with several nodes, where others have to notice the batch after that.
const BATCH_WAIT_SHARED: Duration = Duration::from_millis(50);

/// A batch of this size does not wait for more: each page is then written once for many events.
const BATCH_EVENTS: u64 = BATCH_EVENTS_MAX;

/// A batch that has this many events after the wait goes on waiting, [`BUSY_WAITS`] times as long: under such a load,
/// fewer and larger batches leave more processor time for callbacks.
const BATCH_EVENTS_BUSY: u64 = 1024;

/// See [`BATCH_EVENTS_BUSY`].
const BUSY_WAITS: u32 = 3;

/// How often waiting callers check whether the views have become readable.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The wait before a failed step is tried again.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// How long the thread sleeps if no event arrives.
const IDLE_WAIT: Duration = Duration::from_secs(3600);

/// The same if it may lose the lead meanwhile.
const IDLE_WAIT_SHARED: Duration = Duration::from_millis(100);

/// A handle to the projection: its state, and waiting for it.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    stop: Stop,
}

struct Shared {
    head: Arc<Head>,
    /// The checkpoint's position, once the views are known to belong to the log.
    projected: Head,
    /// Whether the views are known to belong to this log. Until then they must not be read.
    aligned: AtomicBool,
    waiting: Mutex<Waiting>,
    /// Why the projection has stalled; `None` if it has not.
    failed: Mutex<Option<String>>,
    metrics: ProjectionMetrics,
}

/// Since when events wait to be projected, by a monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Perhaps since before this process started; only the events' own times show it.
    Unknown,
    /// Since this moment.
    Since(Instant),
    /// No event was waiting at the last check.
    Nothing,
}

/// Starts the thread: it first checks that the views belong to this log, then follows `head`. While another node
/// leads, it only follows what that one has projected.
pub fn start(
    store: Arc<dyn Store>,
    head: Arc<Head>,
    rule: Rule,
    lead: Lead,
) -> (Handle, Background) {
    let shared = Arc::new(Shared {
        head,
        projected: Head::default(),
        aligned: AtomicBool::new(false),
        waiting: Mutex::new(Waiting::Unknown),
        failed: Mutex::new(None),
        metrics: ProjectionMetrics::default(),
    });
    let followed = Arc::clone(&shared);
    let thread = Background::spawn("projection", move |stop| {
        Projection { store: &*store, shared: &followed, rule, lead, stop }.run();
    });
    (Handle { shared, stop: thread.stop_signal() }, thread)
}

impl Handle {
    /// The last position known to this process.
    pub fn head(&self) -> Position {
        self.shared.head.position()
    }

    /// A receiver of the head. Nothing beyond it may be shown, because it moves once a commit is on disk.
    pub fn watch_head(&self) -> watch::Receiver<Position> {
        self.shared.head.watch()
    }

    /// A receiver of the position up to which the views have read; 0 until they are known to belong to this
    /// log.
    pub fn watch_projected(&self) -> watch::Receiver<Position> {
        self.shared.projected.watch()
    }

    /// The position up to which the views have read.
    pub fn projected(&self) -> Position {
        self.shared.projected.position()
    }

    /// Since when events wait to be projected.
    pub fn waiting(&self) -> Waiting {
        *self.shared.waiting()
    }

    /// Why the projection has stalled; `None` if it has not.
    pub fn failed(&self) -> Option<String> {
        self.shared.failed().clone()
    }

    /// Waits until the views can be read and the log's tail is short enough to scan; false if the deadline
    /// passes first.
    pub fn wait_for_short_tail(&self, deadline: Instant) -> bool {
        loop {
            let wanted = self.shared.head.position().saturating_sub(message_query::TAIL_EVENTS_MAX);
            if self.is_aligned() && self.projected() >= wanted {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            let soon = deadline.min(Instant::now() + LOOK_AGAIN);
            self.shared.projected.wait(self.projected() + 1, soon);
        }
    }

    /// Waits until the views have read up to a position; false if the deadline passes first.
    pub fn wait_for(&self, position: Position, deadline: Instant) -> bool {
        while self.projected() < position && Instant::now() < deadline {
            self.shared.projected.wait(position, deadline);
        }
        self.projected() >= position
    }

    /// Whether the views are known to belong to this log, so that they may be read.
    pub fn is_aligned(&self) -> bool {
        self.shared.aligned.load(Ordering::Acquire)
    }

    /// Its metrics since the start.
    pub fn metrics(&self) -> &ProjectionMetrics {
        &self.shared.metrics
    }

    /// Asks the thread to stop after the current batch.
    pub fn stop(&self) {
        self.stop.request();
        self.shared.head.end();
    }
}

/// What the thread works with.
struct Projection<'p> {
    store: &'p dyn Store,
    shared: &'p Shared,
    rule: Rule,
    lead: Lead,
    stop: &'p Stop,
}

/// Whether a failure concerns the views alone. A full disk or an unreadable log also prevents storing
/// callbacks, or soon will.
fn is_of_views_alone(error: &ProjectionError) -> bool {
    matches!(error, ProjectionError::Store(StoreError::DamagedViews { .. }))
}

impl Projection<'_> {
    /// Works until it is asked to stop. A failure, such as a write to a full disk, is tried again: the projection
    /// never writes to the log, so nothing is lost.
    fn run(&self) {
        while !self.stop.is_requested() {
            let outcome = match self.lead.is_held() {
                true => self.follow_head(),
                false => self.follow_views(),
            };
            match outcome {
                // In the middle of a long way, it is asked to stop, or has lost the lead.
                Ok(()) | Err(ProjectionError::Stopped) => {}
                Err(error) => {
                    self.shared.set_failed(&error.to_string(), is_of_views_alone(&error));
                    let _asked_for_at_the_beginning = self.stop.sleep(RETRY_WAIT);
                }
            }
        }
    }

    /// Projects what arrives, until a stop is requested or another node leads.
    fn follow_head(&self) -> Result<(), ProjectionError> {
        let Self { store, shared, rule, .. } = *self;
        reset_if_incompatible(store, rule)?;
        let mut position = store.views().checkpoint()?.position;
        shared.projected.set(position);
        if position >= shared.head.position() {
            shared.clear_failed();
        }
        shared.aligned.store(true, Ordering::Release);
        while !self.is_to_end() {
            if let Some(after) = shared.head.take_read_again() {
                position = self.read_again(after)?;
            }
            if shared.head.position() <= position {
                *shared.waiting() = Waiting::Nothing;
            }
            let head = shared.head.wait(position + 1, Instant::now() + self.idle_wait());
            if head <= position {
                continue;
            }
            shared.begin_to_wait();
            let head = self.wait_for_batch(position);
            let gathered_at = Instant::now();
            let checkpoint = catch_up_by_batches(store, store.views(), head, &mut |batch, _| {
                shared.projected.advance(batch.to.position);
                shared.metrics.count(batch);
                shared.clear_failed();
                match self.is_to_end() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
            let indexes_others = |wanted| wanted != checkpoint.indexed_tags;
            if checkpoint.rule != rule || store.indexed_tags().is_some_and(indexes_others) {
                // A replay with other settings has swapped in its views.
                reset_if_incompatible(store, rule)?;
            }
            position = store.views().checkpoint()?.position;
            shared.projected.set(position);
            // Events that wait now have arrived since.
            *shared.waiting() = Waiting::Since(gathered_at);
        }
        Ok(())
    }

    /// Makes sure that the views have read what a reopened log has after a position; returns their own.
    fn read_again(&self, after: Position) -> Result<Position, ProjectionError> {
        let Self { store, shared, rule, .. } = *self;
        reset_if_misread(store, rule, after).inspect_err(|_| shared.head.read_again(after))?;
        let position = store.views().checkpoint()?.position;
        shared.projected.set(position);
        Ok(position)
    }

    /// Reports how far the leading node has got, until a stop is requested or this node leads.
    fn follow_views(&self) -> Result<(), ProjectionError> {
        let Self { store, shared, rule, .. } = *self;
        let mut known = None;
        while !self.stop.is_requested() && !self.lead.is_held() {
            let checkpoint = store.views().checkpoint()?;
            // Views that fit the log fit it as long as they are the same.
            if known != Some(checkpoint.generation) {
                let state = ViewsState::new(store, &checkpoint, rule)?;
                let fits = state == ViewsState::Current || checkpoint.position == 0;
                if !fits {
                    let detail = format!("{state}; the leading node rebuilds them");
                    return Err(StoreError::DamagedViews { detail }.into());
                }
                known = Some(checkpoint.generation);
            }
            shared.projected.set(checkpoint.position);
            shared.aligned.store(true, Ordering::Release);
            match shared.head.position() <= checkpoint.position {
                true => *shared.waiting() = Waiting::Nothing,
                false => shared.begin_to_wait(),
            }
            shared.clear_failed();
            let _looked_for_at_the_beginning = self.stop.sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Whether this node is to project no further.
    fn is_to_end(&self) -> bool {
        self.stop.is_requested() || !self.lead.is_held()
    }

    fn idle_wait(&self) -> Duration {
        if self.lead.is_shared() { IDLE_WAIT_SHARED } else { IDLE_WAIT }
    }

    /// Waits until a batch is full, or its first event has waited long enough.
    fn wait_for_batch(&self, position: Position) -> Position {
        let wait = if self.lead.is_shared() { BATCH_WAIT_SHARED } else { BATCH_WAIT };
        let full = position + BATCH_EVENTS;
        let mut head = self.shared.head.wait(full, Instant::now() + wait);
        if head >= position + BATCH_EVENTS_BUSY {
            head = self.shared.head.wait(full, Instant::now() + wait * BUSY_WAITS);
        }
        // The few that came meanwhile are in the next batch; many have to be caught up with.
        if head < full + BATCH_EVENTS { head.min(full) } else { head }
    }
}

impl Shared {
    fn failed(&self) -> MutexGuard<'_, Option<String>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_to_wait(&self) {
        let mut waiting = self.waiting();
        if *waiting == Waiting::Nothing {
            *waiting = Waiting::Since(Instant::now());
        }
    }

    /// Logs a failure once, however often it is repeated.
    fn set_failed(&self, error: &str, is_of_views_alone: bool) {
        let mut failed = self.failed();
        if failed.as_deref() != Some(error) {
            match is_of_views_alone {
                true => tracing::error!(
                    %error,
                    "the projection has stalled; callbacks are still stored"
                ),
                false => tracing::error!(%error, "the projection has stalled"),
            }
            *failed = Some(error.to_owned());
        }
    }

    fn clear_failed(&self) {
        if self.failed().take().is_some() {
            tracing::info!("the projection is running again");
        }
    }
}
