//! The log's writer: one thread behind a bounded queue. Each transaction takes the events that were
//! queued during the previous one.

mod health;
pub mod metrics;
pub mod recent_appends;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::health::{RetryBackoff, WriterHealth};
use self::metrics::StoreMetrics;
use super::head::Head;
use super::{RecentAppends, Store, StoreError};
use crate::background::Background;
use crate::domain::{NewEvent, Position};

/// Maximum events in the queue: a fraction of a second of writing. A caller that would wait longer should
/// retry later.
pub const QUEUE_EVENTS_MAX: usize = 2048;

/// Maximum bytes of the bodies that are queued or being written: a full queue of 64 KiB each. A JSON body
/// may be larger.
pub const QUEUE_BYTES_MAX: usize = 128 << 20;

/// Maximum events of the requests in the queue that have several: two of the largest. They have their own
/// limit, so that they do not keep single events out.
pub const QUEUE_BATCH_EVENTS_MAX: usize = 20_000;

/// Maximum events per transaction apart from those of the last request, so that the first does not wait for long.
pub const COMMIT_EVENTS_MAX: usize = 1024;

/// After this time without an event, the writer checkpoints the WAL and looks for events of other processes.
const IDLE: Duration = Duration::from_secs(1);

/// Why an event was not, or may not have been, written.
#[derive(Debug, Clone, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum AppendError {
    #[error("the queue of {QUEUE_EVENTS_MAX} events is full")]
    QueueFull,
    #[error("the batches in the queue have {QUEUE_BATCH_EVENTS_MAX} events already")]
    QueueBatchesFull,
    #[error("the bodies of the events in the queue take {} MiB already", QUEUE_BYTES_MAX >> 20)]
    QueueBytesFull,
    #[error("nothing is written until the log has been reopened after an error: {0}")]
    Poisoned(Arc<str>),
    #[error("the log's writer is ending")]
    Ending,
}

/// The events of one request, which are written in one transaction with positions one after another.
pub enum Events {
    /// One, as of nearly all requests, which needs no list.
    One(NewEvent),
    /// Any number of them.
    Many(Vec<NewEvent>),
}

impl From<NewEvent> for Events {
    fn from(event: NewEvent) -> Self {
        Events::One(event)
    }
}

impl Events {
    fn as_slice(&self) -> &[NewEvent] {
        match self {
            Events::One(event) => std::slice::from_ref(event),
            Events::Many(events) => events,
        }
    }

    fn append_to(self, all: &mut Vec<NewEvent>) {
        match self {
            Events::One(event) => all.push(event),
            Events::Many(events) => all.extend(events),
        }
    }
}

struct Waiting {
    events: Events,
    durable: oneshot::Sender<Result<Position, AppendError>>,
    held: Held,
}

/// A share of the queue's bytes, and of the events of its batches, given back when dropped.
struct Held {
    state: Arc<State>,
    bytes: usize,
    batch_events: usize,
}

impl Held {
    fn new(state: &Arc<State>, events: &[NewEvent]) -> Result<Self, AppendError> {
        let bytes = events.iter().map(|event| event.body.len()).sum();
        let batch_events = if events.len() > 1 { events.len() } else { 0 };
        let held = Self { state: Arc::clone(state), bytes, batch_events };
        let bytes_before = state.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        if batch_events > 0 {
            let before = state.queued_batch_events.fetch_add(batch_events, Ordering::Relaxed);
            if before + batch_events > QUEUE_BATCH_EVENTS_MAX {
                return Err(AppendError::QueueBatchesFull);
            }
        }
        let fits = bytes_before + bytes <= QUEUE_BYTES_MAX;
        fits.then_some(held).ok_or(AppendError::QueueBytesFull)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.state.queued_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.batch_events > 0 {
            self.state.queued_batch_events.fetch_sub(self.batch_events, Ordering::Relaxed);
        }
    }
}

/// A handle to the writer. When the last one is dropped, the writer writes what it still has and ends.
#[derive(Clone)]
pub struct Writer {
    queue: SyncSender<Waiting>,
    state: Arc<State>,
    metrics: StoreMetrics,
}

/// State shared by the handles and the thread.
#[derive(Default)]
struct State {
    health: WriterHealth,
    /// Another program keeps the log's file locked, and the queue waits for it.
    held_up: AtomicBool,
    /// What the bodies in the queue and in the transaction take.
    queued_bytes: AtomicUsize,
    /// The events of requests that have several.
    queued_batch_events: AtomicUsize,
}

impl Writer {
    /// Starts the thread. It advances `head` after each commit.
    pub fn start(store: Arc<dyn Store>, head: Arc<Head>) -> (Self, Background) {
        let (queue, waiting) = sync_channel(QUEUE_EVENTS_MAX);
        let state = Arc::new(State::default());
        let metrics = StoreMetrics::default();
        let writer = Self { queue, state: Arc::clone(&state), metrics: metrics.clone() };
        let thread = Background::spawn("log-writer", move |_ends_with_its_handles| {
            let _poisons_if_it_panics = PanicGuard(Arc::clone(&state));
            let backoff = RetryBackoff::default();
            let recent = RecentAppends::default();
            let acknowledged = head.position();
            Thread { store, head, waiting, state, backoff, metrics, recent, acknowledged }.run();
        });
        (writer, thread)
    }

    /// Appends the events of a request and returns the position of the first once they are durable. After an
    /// error they may still have been written, all or none of them, but they were not acknowledged.
    pub async fn append(&self, events: impl Into<Events>) -> Result<Position, AppendError> {
        let events = events.into();
        if let Some(reason) = self.poisoned() {
            return Err(AppendError::Poisoned(reason));
        }
        let (durable, position) = oneshot::channel();
        let held = Held::new(&self.state, events.as_slice())?;
        let count = events.as_slice().len() as i64;
        // Counted before the thread can take them off again.
        self.metrics.queued.add(count);
        self.queue.try_send(Waiting { events, durable, held }).map_err(|error| {
            self.metrics.queued.sub(count);
            match error {
                TrySendError::Full(_) => AppendError::QueueFull,
                TrySendError::Disconnected(_) => AppendError::Ending,
            }
        })?;
        position.await.unwrap_or(Err(AppendError::Ending))
    }

    /// Its metrics since the start.
    pub fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }

    /// Why the writer rejects events; `None` if it accepts them.
    pub fn poisoned(&self) -> Option<Arc<str>> {
        self.state.health.reason()
    }

    /// Whether the queue waits for another program that keeps the log's file locked.
    pub fn is_held_up(&self) -> bool {
        self.state.held_up.load(Ordering::Relaxed)
    }
}

/// What the thread works with.
struct Thread {
    store: Arc<dyn Store>,
    head: Arc<Head>,
    waiting: Receiver<Waiting>,
    state: Arc<State>,
    backoff: RetryBackoff,
    metrics: StoreMetrics,
    recent: RecentAppends,
    /// The last position that this process has acknowledged, or found when it started.
    acknowledged: Position,
}

impl Thread {
    /// Writes until all handles are dropped. After an error the log is reopened before anything else is
    /// written: to carry on could acknowledge events that are not in it.
    fn run(mut self) {
        while self.write().is_continue() && self.recover().is_continue() {}
    }

    /// Writes until an error occurs or all handles are dropped.
    fn write(&mut self) -> ControlFlow<()> {
        let mut wal_is_checkpointed = true;
        while self.state.health.reason().is_none() {
            match self.waiting.recv_timeout(IDLE) {
                Ok(first) => {
                    // Whoever is just about to add to the queue does so first.
                    std::thread::yield_now();
                    self.write_batch(first);
                    wal_is_checkpointed = false;
                }
                Err(RecvTimeoutError::Timeout) => match self.pause(wal_is_checkpointed) {
                    Ok(checkpointed) => wal_is_checkpointed = checkpointed,
                    Err(error) => drop(self.fail(&error.to_string())),
                },
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }

    /// Checks the log while idle, and checkpoints its WAL if that has not happened yet.
    fn pause(&mut self, wal_is_checkpointed: bool) -> Result<bool, StoreError> {
        self.store.check_files_unmoved()?;
        // A failed read does not affect writing; the next pause tries again.
        if let Ok(head) = self.store.head() {
            self.head.advance(head);
        }
        match wal_is_checkpointed {
            true => Ok(true),
            false => match self.store.checkpoint_wal() {
                Ok(()) => {
                    self.recent.forget(self.store.safe_without_wal());
                    Ok(true)
                }
                // A reader prevents it; the next pause tries again.
                Err(StoreError::Busy) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }

    /// Writes a request with those that are queued, without waiting for more.
    fn write_batch(&mut self, first: Waiting) {
        let (mut events, mut senders, mut held) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(Waiting { events: of_request, durable, held: share }) = next {
            senders.push((events.len() as u64, durable));
            of_request.append_to(&mut events);
            held.push(share);
            // A request is never divided, so that its events may be more.
            next =
                if events.len() < COMMIT_EVENTS_MAX { self.waiting.try_recv().ok() } else { None };
        }
        self.metrics.queued.sub(events.len() as i64);
        let begun = Instant::now();
        match self.commit(&events) {
            Ok(last) => {
                self.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
                self.metrics.commit_events.observe(events.len() as f64);
                self.backoff.reset();
                self.head.advance(last);
                self.acknowledged = last;
                let first = last + 1 - events.len() as u64;
                answer(senders, |index| Ok(first + index));
                self.recent.add(first, &events);
                self.recent.forget(self.store.safe_without_wal());
            }
            Err(error) => {
                let reason = self.fail(&error.to_string());
                answer(senders, |_| Err(AppendError::Poisoned(Arc::clone(&reason))));
            }
        }
    }

    /// Commits one transaction. It waits while another program holds the file: a callback stored late is
    /// better than one rejected. The HTTP handler times out on its own, and a full queue rejects at once.
    fn commit(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        let outcome = loop {
            match self.store.append(events) {
                Err(StoreError::Busy) => self.state.hold_up(),
                outcome => break outcome,
            }
        };
        self.state.log_end_of_hold_up();
        outcome
    }

    /// Reopens the log, as often as it takes, and rejects events meanwhile.
    fn recover(&mut self) -> ControlFlow<()> {
        loop {
            let until = Instant::now() + self.backoff.next_wait();
            self.refuse(until)?;
            let safe_without_wal = self.store.safe_without_wal();
            match self.reopened() {
                Ok(head) => {
                    // What other processes showed may never have been acknowledged, and be gone.
                    let shown = self.head.position();
                    self.head.set(head);
                    self.recent.read_again(&*self.store, &self.head, safe_without_wal..shown);
                    self.state.health.clear();
                    return ControlFlow::Continue(());
                }
                Err(reason) => drop(self.fail(&reason)),
            }
        }
    }

    /// Reopens the log; fails if acknowledged events are missing from it.
    fn reopened(&self) -> Result<Position, String> {
        let head =
            self.store.reopen_and_restore(&self.recent).map_err(|error| error.to_string())?;
        match self.acknowledged {
            acknowledged if head < acknowledged => Err(format!(
                "the log ends at position {head}, and events up to {acknowledged} were acknowledged"
            )),
            _ => Ok(head),
        }
    }

    /// Rejects events until a time.
    fn refuse(&self, until: Instant) -> ControlFlow<()> {
        let reason = self.state.health.reason().unwrap_or_default();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.waiting.recv_timeout(left) {
                Ok(Waiting { durable, events, .. }) => {
                    self.metrics.queued.sub(events.as_slice().len() as i64);
                    answer(vec![(0, durable)], |_| Err(AppendError::Poisoned(Arc::clone(&reason))));
                }
                Err(RecvTimeoutError::Timeout) => return ControlFlow::Continue(()),
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
            }
        }
    }

    fn fail(&mut self, reason: &str) -> Arc<str> {
        let reason = reason.into();
        self.state.health.set(&reason);
        self.backoff.report(&reason);
        reason
    }
}

impl State {
    fn hold_up(&self) {
        if !self.held_up.swap(true, Ordering::Relaxed) {
            tracing::warn!("{}; callbacks wait for it", StoreError::Busy);
        }
    }

    /// Logs that no other program blocks the writer any more, if one did.
    fn log_end_of_hold_up(&self) {
        if self.held_up.swap(false, Ordering::Relaxed) {
            tracing::info!("the ledger's file is free again");
        }
    }
}

/// Reports a panic of the thread as the writer's health.
struct PanicGuard(Arc<State>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.health.set(&"the log's writer has crashed; restart the server".into());
        }
    }
}

/// Answers each request; `outcome` gets the index of its first event.
fn answer(
    senders: Vec<(u64, oneshot::Sender<Result<Position, AppendError>>)>,
    outcome: impl Fn(u64) -> Result<Position, AppendError>,
) {
    for (index, durable) in senders {
        // The caller may be gone; the event is stored anyway.
        let _gone = durable.send(outcome(index));
    }
}
