//! The log's one writer: a thread behind a bounded queue that commits whatever has queued up
//! since its last commit in one transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::head::Head;
use super::{Store, StoreError};
use crate::domain::{NewEvent, Position};

/// How many events may wait to be written. At 64 KiB a body this is at most 128 MiB; at the rate
/// of one machine it is a fraction of a second, and who waits longer is better told to come again.
pub const QUEUE_EVENTS_MAX: usize = 2048;

/// How many events one transaction takes, so that the first of them does not wait for long.
pub const COMMIT_EVENTS_MAX: usize = 1024;

/// After how long without an event the writer tidies up.
const IDLE: Duration = Duration::from_secs(1);

/// Why an event was not, or may not have been, written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    #[error("the queue of {QUEUE_EVENTS_MAX} events is full")]
    QueueFull,
    #[error("the log's writer has stopped after an error and takes no more: {0}")]
    Poisoned(Arc<str>),
    #[error("the log's writer is ending")]
    Ending,
}

struct Waiting {
    event: NewEvent,
    durable: oneshot::Sender<Result<Position, AppendError>>,
}

/// A handle to the writer. When the last one is dropped, the writer writes what it still has and ends.
#[derive(Clone)]
pub struct Writer {
    queue: SyncSender<Waiting>,
    state: Arc<State>,
}

/// What others may know of the thread.
#[derive(Default)]
struct State {
    poison: OnceLock<Arc<str>>,
    /// Another program holds the log's file, and what is queued waits for it.
    held_up: AtomicBool,
}

impl Writer {
    /// Starts the thread. It advances `head` after each commit.
    pub fn start(store: Arc<dyn Store>, head: Arc<Head>) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = sync_channel(QUEUE_EVENTS_MAX);
        let state = Arc::new(State::default());
        let writer = Self { queue, state: Arc::clone(&state) };
        let thread = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || {
                let _poisons_if_it_panics = PanicGuard(Arc::clone(&state));
                write(&*store, &head, &waiting, &state);
            })
            .expect("the system starts a thread");
        (writer, thread)
    }

    /// Appends an event and returns its position once it is durable.
    /// After an error the event may still have been written, but nobody was told so.
    pub async fn append(&self, event: NewEvent) -> Result<Position, AppendError> {
        if let Some(reason) = self.poisoned() {
            return Err(AppendError::Poisoned(reason));
        }
        let (durable, position) = oneshot::channel();
        self.queue.try_send(Waiting { event, durable }).map_err(|error| match error {
            TrySendError::Full(_) => AppendError::QueueFull,
            TrySendError::Disconnected(_) => AppendError::Ending,
        })?;
        position.await.unwrap_or(Err(AppendError::Ending))
    }

    /// Why the writer takes no more, if that is so.
    pub fn poisoned(&self) -> Option<Arc<str>> {
        self.state.poison.get().cloned()
    }

    /// Whether what is queued waits for another program that holds the log's file.
    pub fn is_held_up(&self) -> bool {
        self.state.held_up.load(Ordering::Relaxed)
    }
}

fn write(store: &dyn Store, head: &Head, waiting: &Receiver<Waiting>, state: &State) {
    let mut tidy = true;
    loop {
        match waiting.recv_timeout(IDLE) {
            Ok(first) => {
                // What has come meanwhile goes along; nothing is waited for.
                let rest = waiting.try_iter().take(COMMIT_EVENTS_MAX - 1);
                write_batch(store, head, [first].into_iter().chain(rest), state);
                tidy = false;
            }
            Err(RecvTimeoutError::Timeout) if state.poison.get().is_none() => {
                tidy = pause(store, tidy).unwrap_or_else(|error| {
                    state.poison_by(&error);
                    true
                });
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Nothing has come for a while: the log is looked after, and tidied up where it is not yet tidy.
fn pause(store: &dyn Store, tidy: bool) -> Result<bool, StoreError> {
    store.in_place()?;
    match tidy {
        true => Ok(true),
        false => match store.tidy() {
            Ok(()) => Ok(true),
            // Somebody reads; it is tidied up at the next pause.
            Err(StoreError::Busy) => Ok(false),
            Err(error) => Err(error),
        },
    }
}

fn write_batch(
    store: &dyn Store,
    head: &Head,
    batch: impl Iterator<Item = Waiting>,
    state: &State,
) {
    let (events, told): (Vec<_>, Vec<_>) =
        batch.map(|waiting| (waiting.event, waiting.durable)).unzip();
    match commit(store, &events, state) {
        Ok(last) => {
            head.advance(last);
            let first = last + 1 - events.len() as u64;
            answer(told, |index| Ok(first + index));
        }
        Err(error) => answer(told, |_| Err(error.clone())),
    }
}

/// One transaction. After a failed one the kernel may have marked pages clean that never reached
/// the disk, so nothing more is written: carrying on could acknowledge what is not there.
fn commit(store: &dyn Store, events: &[NewEvent], state: &State) -> Result<Position, AppendError> {
    if let Some(reason) = state.poison.get() {
        return Err(AppendError::Poisoned(Arc::clone(reason)));
    }
    let outcome = loop {
        match store.append(events) {
            // A callback that is kept late is better than one that is refused: who asked is
            // answered in time all the same, and who comes when the queue is full at once.
            Err(StoreError::Busy) => state.hold_up(),
            outcome => break outcome,
        }
    };
    state.go_on();
    outcome.map_err(|error| AppendError::Poisoned(state.poison_by(&error)))
}

impl State {
    fn poison_by(&self, error: &StoreError) -> Arc<str> {
        let reason: Arc<str> = error.to_string().into();
        tracing::error!(%reason, "the log's writer has stopped; restart to open the log again");
        let _first_wins = self.poison.set(Arc::clone(&reason));
        reason
    }

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
            let _first_wins = self.0.poison.set("the log's writer has died".into());
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
