//! The log's one writer: a thread behind a bounded queue that commits whatever has queued up
//! since its last commit in one transaction.

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
    #[error("{}", StoreError::Busy)]
    Busy,
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
    poison: Arc<OnceLock<Arc<str>>>,
}

impl Writer {
    /// Starts the thread. It advances `head` after each commit.
    pub fn start(store: Arc<dyn Store>, head: Arc<Head>) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = sync_channel(QUEUE_EVENTS_MAX);
        let poison = Arc::new(OnceLock::new());
        let writer = Self { queue, poison: Arc::clone(&poison) };
        let thread = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || {
                let _poisons_if_it_panics = PanicGuard(Arc::clone(&poison));
                write(&*store, &head, &waiting, &poison);
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
        self.poison.get().cloned()
    }
}

fn write(store: &dyn Store, head: &Head, waiting: &Receiver<Waiting>, poison: &OnceLock<Arc<str>>) {
    let mut tidy = true;
    loop {
        match waiting.recv_timeout(IDLE) {
            Ok(first) => {
                // What has come meanwhile goes along; nothing is waited for.
                let rest = waiting.try_iter().take(COMMIT_EVENTS_MAX - 1);
                write_batch(store, head, [first].into_iter().chain(rest), poison);
                tidy = false;
            }
            Err(RecvTimeoutError::Timeout) if !tidy && poison.get().is_none() => {
                tidy = match store.tidy() {
                    Ok(()) => true,
                    // Somebody reads; it is tidied up at the next pause.
                    Err(StoreError::Busy) => false,
                    Err(error) => {
                        poisoned_by(&error, poison);
                        true
                    }
                };
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn write_batch(
    store: &dyn Store,
    head: &Head,
    batch: impl Iterator<Item = Waiting>,
    poison: &OnceLock<Arc<str>>,
) {
    let (events, told): (Vec<_>, Vec<_>) =
        batch.map(|waiting| (waiting.event, waiting.durable)).unzip();
    match commit(store, &events, poison) {
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
fn commit(
    store: &dyn Store,
    events: &[NewEvent],
    poison: &OnceLock<Arc<str>>,
) -> Result<Position, AppendError> {
    if let Some(reason) = poison.get() {
        return Err(AppendError::Poisoned(Arc::clone(reason)));
    }
    store.append(events).map_err(|error| match error {
        StoreError::Busy => AppendError::Busy,
        error => AppendError::Poisoned(poisoned_by(&error, poison)),
    })
}

fn poisoned_by(error: &StoreError, poison: &OnceLock<Arc<str>>) -> Arc<str> {
    let reason: Arc<str> = error.to_string().into();
    tracing::error!(%reason, "the log's writer has stopped; restart to open the log again");
    let _first_wins = poison.set(Arc::clone(&reason));
    reason
}

/// Makes a writer that has died known to all who ask for its health.
struct PanicGuard(Arc<OnceLock<Arc<str>>>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _first_wins = self.0.set("the log's writer has died".into());
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
