//! The thread that keeps the views up while a server runs.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::catch_up::catch_up_by_batches;
use super::compatibility::reset_if_incompatible;
use super::metrics::ProjectionMetrics;
use super::{ProjectionError, message_query};
use crate::background::{Background, Stop};
use crate::domain::{Position, Rule};
use crate::store::head::Head;
use crate::store::{Store, StoreError};

/// How long events wait for others to be projected with. Projecting after every commit would cost
/// a third of the ingest.
pub const BATCH_WAIT: Duration = Duration::from_millis(100);

/// How many events are enough not to wait for more: so many write each page once for many of them.
pub const BATCH_EVENTS: u64 = 4096;

/// How often somebody who waits looks whether the views have become readable.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long the thread waits before it tries again what has failed.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// How long the thread sleeps where nothing comes.
const IDLE_WAIT: Duration = Duration::from_secs(3600);

/// What others may know of the projection, and wait for.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    stop: Stop,
}

struct Shared {
    head: Arc<Head>,
    /// The checkpoint's position, once the views are known to be the log's.
    projected: Head,
    /// Whether the views are known to be this log's; before that nothing may be read from them.
    aligned: AtomicBool,
    waiting: Mutex<Waiting>,
    /// Why it does not get on at the moment.
    failed: Mutex<Option<String>>,
    metrics: ProjectionMetrics,
}

/// Since when events wait to be projected, by a clock that nobody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Perhaps since before this process began; only their own times tell.
    Unknown,
    Since(Instant),
    /// None was waiting a moment ago.
    Nothing,
}

/// Starts the thread: first it makes sure that the views are this log's, then it follows `head`.
pub fn start(store: Arc<dyn Store>, head: Arc<Head>, rule: Rule) -> (Handle, Background) {
    let shared = Arc::new(Shared {
        head,
        projected: Head::default(),
        aligned: AtomicBool::new(false),
        waiting: Mutex::new(Waiting::Unknown),
        failed: Mutex::new(None),
        metrics: ProjectionMetrics::default(),
    });
    let followed = Arc::clone(&shared);
    let thread = Background::spawn("projection", move |stop| run(&*store, &followed, rule, stop));
    (Handle { shared, stop: thread.stop_signal() }, thread)
}

impl Handle {
    /// The last position that this process knows of.
    pub fn head(&self) -> Position {
        self.shared.head.position()
    }

    /// The same, to be awaited: nothing beyond it may be shown, since it moves once a commit is on
    /// disk.
    pub fn watch_head(&self) -> watch::Receiver<Position> {
        self.shared.head.watch()
    }

    /// The position up to which the views have read.
    pub fn projected(&self) -> Position {
        self.shared.projected.position()
    }

    /// Since when events wait to be projected.
    pub fn waiting(&self) -> Waiting {
        *self.shared.waiting()
    }

    /// Why the projection does not get on, if it does not.
    pub fn failed(&self) -> Option<String> {
        self.shared.failed().clone()
    }

    /// Waits until the views can be read and the log's tail is short enough to scan;
    /// false where that is not so by the deadline.
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

    /// Waits until the views have read up to a position; false where they have not by the deadline.
    pub fn wait_for(&self, position: Position, deadline: Instant) -> bool {
        while self.projected() < position && Instant::now() < deadline {
            self.shared.projected.wait(position, deadline);
        }
        self.projected() >= position
    }

    /// Whether the views are known to be this log's, so that they can be read at all.
    pub fn is_aligned(&self) -> bool {
        self.shared.aligned.load(Ordering::Acquire)
    }

    /// What it has counted since it began.
    pub fn metrics(&self) -> &ProjectionMetrics {
        &self.shared.metrics
    }

    /// Asks the thread to end after the batch it is at.
    pub fn stop(&self) {
        self.stop.request();
        self.shared.head.nudge();
    }
}

/// Follows the head until it is asked to stop. What fails, such as a write to a full disk, is tried
/// again: nothing is lost by it, since the log is not the projection's to write.
fn run(store: &dyn Store, shared: &Shared, rule: Rule, stop: &Stop) {
    while let Err(error) = follow(store, shared, rule, stop) {
        if matches!(error, ProjectionError::Stopped) {
            break;
        }
        shared.set_failed(&error.to_string(), is_of_views_alone(&error));
        if stop.sleep(RETRY_WAIT).is_break() {
            break;
        }
    }
}

/// Whether the log has no part in a failure. A full or failing disk, or a log that cannot be read,
/// keeps callbacks from being stored too, or will soon.
fn is_of_views_alone(error: &ProjectionError) -> bool {
    matches!(error, ProjectionError::Store(StoreError::DamagedViews { .. }))
}

fn follow(
    store: &dyn Store,
    shared: &Shared,
    rule: Rule,
    stop: &Stop,
) -> Result<(), ProjectionError> {
    reset_if_incompatible(store, rule)?;
    let mut position = store.views().checkpoint()?.position;
    shared.projected.set(position);
    if position >= shared.head.position() {
        shared.clear_failed();
    }
    shared.aligned.store(true, Ordering::Release);
    while !stop.is_requested() {
        if shared.head.position() <= position {
            *shared.waiting() = Waiting::Nothing;
        }
        let head = shared.head.wait(position + 1, Instant::now() + IDLE_WAIT);
        if head <= position {
            continue;
        }
        shared.begin_to_wait();
        let head = shared.wait_for_batch(position, stop);
        let gathered_at = Instant::now();
        let checkpoint = catch_up_by_batches(store, store.views(), head, &mut |batch| {
            shared.projected.advance(batch.to.position);
            shared.metrics.count(&batch.messages);
            shared.clear_failed();
            match stop.is_requested() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        if checkpoint.rule != rule {
            // A replay by another rule has put its views in place.
            reset_if_incompatible(store, rule)?;
        }
        position = store.views().checkpoint()?.position;
        shared.projected.set(position);
        // Whatever waits now has come since.
        *shared.waiting() = Waiting::Since(gathered_at);
    }
    Ok(())
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

    /// Reports a failure once, however often it is tried again.
    fn set_failed(&self, error: &str, is_of_views_alone: bool) {
        let mut failed = self.failed();
        if failed.as_deref() != Some(error) {
            match is_of_views_alone {
                true => tracing::error!(
                    %error,
                    "the projection does not get on; callbacks are still stored"
                ),
                false => tracing::error!(%error, "the projection does not get on"),
            }
            *failed = Some(error.to_owned());
        }
    }

    fn clear_failed(&self) {
        if self.failed().take().is_some() {
            tracing::info!("the projection gets on again");
        }
    }

    /// Lets a batch gather: until it is full, or its first event has waited long enough.
    fn wait_for_batch(&self, position: Position, stop: &Stop) -> Position {
        let (full, deadline) = (position + BATCH_EVENTS, Instant::now() + BATCH_WAIT);
        let mut head = self.head.position();
        while head < full && Instant::now() < deadline && !stop.is_requested() {
            head = self.head.wait(full, deadline);
        }
        head
    }
}
