//! The log's one writer: a thread behind a bounded queue that commits whatever has queued up
//! since its last commit in one transaction.

mod health;
pub mod metrics;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::health::{RetryBackoff, WriterHealth};
use self::metrics::StoreMetrics;
use super::head::Head;
use super::{Kept, Store, StoreError};
use crate::background::Background;
use crate::domain::{NewEvent, Position};

/// How many events may wait to be written. At the rate of one machine it is a fraction of a second,
/// and who waits longer is better told to come again.
pub const QUEUE_EVENTS_MAX: usize = 2048;

/// How many bytes the bodies of events that wait, or are being written, may take together: as much as
/// the queue takes if each has 64 KiB. A JSON body may have more.
pub const QUEUE_BYTES_MAX: usize = 128 << 20;

/// How many events one transaction takes, so that the first of them does not wait for long.
pub const COMMIT_EVENTS_MAX: usize = 1024;

/// After how long without an event the writer tidies up, and looks for what others have appended.
const IDLE: Duration = Duration::from_secs(1);

/// Why an event was not, or may not have been, written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    #[error("the queue of {QUEUE_EVENTS_MAX} events is full")]
    QueueFull,
    #[error("the bodies of the events in the queue take {} MiB already", QUEUE_BYTES_MAX >> 20)]
    QueueBytesFull,
    #[error("nothing is written until the log has been opened again after an error: {0}")]
    Poisoned(Arc<str>),
    #[error("the log's writer is ending")]
    Ending,
}

struct Waiting {
    event: NewEvent,
    durable: oneshot::Sender<Result<Position, AppendError>>,
    held: Held,
}

/// An event's share of the queue's bytes, given back when dropped.
struct Held {
    state: Arc<State>,
    bytes: usize,
}

impl Held {
    fn of(state: &Arc<State>, event: &NewEvent) -> Result<Self, AppendError> {
        let held = Self { state: Arc::clone(state), bytes: event.body.len() };
        let before = state.queued_bytes.fetch_add(held.bytes, Ordering::Relaxed);
        (before + held.bytes <= QUEUE_BYTES_MAX).then_some(held).ok_or(AppendError::QueueBytesFull)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.state.queued_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A handle to the writer. When the last one is dropped, the writer writes what it still has and ends.
#[derive(Clone)]
pub struct Writer {
    queue: SyncSender<Waiting>,
    state: Arc<State>,
    metrics: StoreMetrics,
}

/// What others may know of the thread.
#[derive(Default)]
struct State {
    poison: WriterHealth,
    /// Another program holds the log's file, and what is queued waits for it.
    held_up: AtomicBool,
    /// What the bodies in the queue and in the transaction take.
    queued_bytes: AtomicUsize,
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
            let trouble = RetryBackoff::default();
            let kept = Kept::default();
            Thread { store, head, waiting, state, trouble, metrics, kept }.run();
        });
        (writer, thread)
    }

    /// Appends an event and returns its position once it is durable.
    /// After an error the event may still have been written, but nobody was told so.
    pub async fn append(&self, event: NewEvent) -> Result<Position, AppendError> {
        if let Some(reason) = self.poisoned() {
            return Err(AppendError::Poisoned(reason));
        }
        let (durable, position) = oneshot::channel();
        let held = Held::of(&self.state, &event)?;
        // Counted before the thread can take it off again.
        self.metrics.queued.inc();
        self.queue.try_send(Waiting { event, durable, held }).map_err(|error| {
            self.metrics.queued.dec();
            match error {
                TrySendError::Full(_) => AppendError::QueueFull,
                TrySendError::Disconnected(_) => AppendError::Ending,
            }
        })?;
        position.await.unwrap_or(Err(AppendError::Ending))
    }

    /// What it has measured since it began.
    pub fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }

    /// Why the writer takes nothing at the moment, if that is so.
    pub fn poisoned(&self) -> Option<Arc<str>> {
        self.state.poison.reason()
    }

    /// Whether what is queued waits for another program that holds the log's file.
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
    trouble: RetryBackoff,
    metrics: StoreMetrics,
    kept: Kept,
}

impl Thread {
    /// Writes until all handles are gone. After an error the log is opened again before anything
    /// else is written: carrying on could acknowledge what is not there.
    fn run(mut self) {
        while self.write().is_continue() && self.recover().is_continue() {}
    }

    /// Writes until an error, which poisons, or until nobody is left to write for.
    fn write(&mut self) -> ControlFlow<()> {
        let mut checkpoint_wal = true;
        while self.state.poison.reason().is_none() {
            match self.waiting.recv_timeout(IDLE) {
                Ok(first) => {
                    // What has come meanwhile goes along; nothing is waited for.
                    let rest = self.waiting.try_iter().take(COMMIT_EVENTS_MAX - 1);
                    let batch = [first].into_iter().chain(rest).collect();
                    self.write_batch(batch);
                    checkpoint_wal = false;
                }
                Err(RecvTimeoutError::Timeout) => match self.pause(checkpoint_wal) {
                    Ok(now_tidy) => checkpoint_wal = now_tidy,
                    Err(error) => drop(self.poison(&error.to_string())),
                },
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }

    /// Nothing has come for a while: the log is looked after, and tidied up where it is not yet tidy.
    fn pause(&mut self, checkpoint_wal: bool) -> Result<bool, StoreError> {
        self.store.check_files_unmoved()?;
        // What cannot be read now is looked for at the next pause; it is no matter of writing.
        if let Ok(head) = self.store.head() {
            self.head.advance(head);
        }
        match checkpoint_wal {
            true => Ok(true),
            false => match self.store.checkpoint_wal() {
                Ok(()) => {
                    self.kept.forget(self.store.safe_without_wal());
                    Ok(true)
                }
                // Somebody reads; it is tidied up at the next pause.
                Err(StoreError::Busy) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }

    fn write_batch(&mut self, batch: Vec<Waiting>) {
        let (events, told): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|Waiting { event, durable, held }| (event, (durable, held)))
            .unzip();
        let (told, _held): (Vec<_>, Vec<_>) = told.into_iter().unzip();
        self.metrics.queued.sub(events.len() as i64);
        let begun = Instant::now();
        match self.commit(&events) {
            Ok(last) => {
                self.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
                self.metrics.commit_events.observe(events.len() as f64);
                self.trouble.over();
                self.head.advance(last);
                let first = last + 1 - events.len() as u64;
                answer(told, |index| Ok(first + index));
                self.kept.add(first, &events);
                self.kept.forget(self.store.safe_without_wal());
            }
            Err(error) => {
                let reason = self.poison(&error.to_string());
                answer(told, |_| Err(AppendError::Poisoned(Arc::clone(&reason))));
            }
        }
    }

    /// One transaction. While another program holds the file it waits: a callback that is kept late
    /// is better than one that is refused. Who asked is answered in time all the same, and who
    /// comes when the queue is full at once.
    fn commit(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        let outcome = loop {
            match self.store.append(events) {
                Err(StoreError::Busy) => self.state.hold_up(),
                outcome => break outcome,
            }
        };
        self.state.go_on();
        outcome
    }

    /// Opens the log again, as often as it takes; meanwhile nothing is taken.
    fn recover(&mut self) -> ControlFlow<()> {
        loop {
            let until = Instant::now() + self.trouble.next_wait();
            self.refuse(until)?;
            match self.reopened() {
                Ok(head) => {
                    self.head.advance(head);
                    self.state.poison.clear();
                    return ControlFlow::Continue(());
                }
                Err(reason) => drop(self.poison(&reason)),
            }
        }
    }

    /// A log that has lost events that were acknowledged is not to be written on.
    fn reopened(&self) -> Result<Position, String> {
        let head = self.store.reopen_and_restore(&self.kept).map_err(|error| error.to_string())?;
        match self.head.position() {
            acknowledged if head < acknowledged => Err(format!(
                "the log ends at position {head}, and events up to {acknowledged} were acknowledged"
            )),
            _ => Ok(head),
        }
    }

    /// Answers whoever comes that nothing is taken, until a time.
    fn refuse(&self, until: Instant) -> ControlFlow<()> {
        let reason = self.state.poison.reason().unwrap_or_default();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.waiting.recv_timeout(left) {
                Ok(Waiting { durable, .. }) => {
                    self.metrics.queued.dec();
                    answer(vec![durable], |_| Err(AppendError::Poisoned(Arc::clone(&reason))));
                }
                Err(RecvTimeoutError::Timeout) => return ControlFlow::Continue(()),
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
            }
        }
    }

    fn poison(&mut self, reason: &str) -> Arc<str> {
        let reason = reason.into();
        self.state.poison.set(&reason);
        self.trouble.tell(&reason);
        reason
    }
}

impl State {
    fn hold_up(&self) {
        if !self.held_up.swap(true, Ordering::Relaxed) {
            tracing::warn!("{}; callbacks wait for it", StoreError::Busy);
        }
    }

    fn go_on(&self) {
        if self.held_up.swap(false, Ordering::Relaxed) {
            tracing::info!("the ledger's file is free again");
        }
    }
}

/// Makes a writer that has died known to all who ask for its health.
struct PanicGuard(Arc<State>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison.set(&"the log's writer has died; restart to go on".into());
        }
    }
}

fn answer(
    told: Vec<oneshot::Sender<Result<Position, AppendError>>>,
    outcome: impl Fn(u64) -> Result<Position, AppendError>,
) {
    for (index, durable) in (0..).zip(told) {
        // Whoever asked may have gone; the event is kept all the same.
        let _gone = durable.send(outcome(index));
    }
}
