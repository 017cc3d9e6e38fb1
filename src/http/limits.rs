//! Limits on how many event streams, exports and sends run at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::error::Problem;

/// Clients that may follow the log at once. Each takes a connection and, if it reads slowly, some
/// megabytes; dashboards are a handful.
const STREAMS_MAX: usize = 64;

/// Exports that may be written at once. Each takes a thread, and some 30 MB if it is Parquet.
const EXPORTS_MAX: usize = 4;

/// Messages that may be sent at once. Each takes a thread, which mostly waits. Twilio accepts some
/// hundred concurrent requests from one account, and answers more with 429.
const SENDS_MAX: usize = 64;

/// A number of permits for one kind of work.
#[derive(Clone)]
pub struct Limit {
    permits: Arc<Semaphore>,
    exceeded: fn() -> Problem,
}

impl Limit {
    /// The limit of exports.
    pub fn exports() -> Self {
        Self::new(EXPORTS_MAX, || Problem::TooManyExports)
    }

    /// The limit of sends.
    pub fn sends() -> Self {
        Self::new(SENDS_MAX, || Problem::TooManySends)
    }

    fn new(permits: usize, exceeded: fn() -> Problem) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)), exceeded }
    }

    /// A permit, which is returned when it is dropped. The error if all are taken.
    pub fn acquire(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_| (self.exceeded)())
    }
}

/// The event streams of one server: their limit and their shutdown.
#[derive(Clone)]
pub struct EventStreams {
    limit: Limit,
    stopping: Arc<watch::Sender<bool>>,
}

/// One open stream, which counts until it is dropped.
pub struct StreamPermit {
    _permit: OwnedSemaphorePermit,
    stopping: StopSignal,
}

/// Says when streams have to end.
#[derive(Clone)]
pub struct StopSignal(watch::Receiver<bool>);

impl Default for EventStreams {
    fn default() -> Self {
        let exceeded = || Problem::TooManyStreams { limit: STREAMS_MAX };
        Self {
            limit: Limit::new(STREAMS_MAX, exceeded),
            stopping: Arc::new(watch::Sender::new(false)),
        }
    }
}

impl EventStreams {
    /// Registers one more stream, unless there are too many.
    pub fn open(&self) -> Result<StreamPermit, Problem> {
        let permit = self.limit.acquire()?;
        Ok(StreamPermit { _permit: permit, stopping: StopSignal(self.stopping.subscribe()) })
    }

    /// Asks all streams to end.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits until none is open, but no longer than `timeout`.
    pub async fn finished(&self, timeout: Duration) {
        let all = self.limit.permits.acquire_many(STREAMS_MAX as u32);
        let _too_slow = tokio::time::timeout(timeout, all).await;
    }
}

impl StreamPermit {
    /// The signal at which the stream has to end.
    pub fn stop_signal(&self) -> StopSignal {
        self.stopping.clone()
    }
}

impl StopSignal {
    /// Waits for the signal.
    pub async fn received(&mut self) {
        // An error means that the server is gone.
        let _stopped = self.0.wait_for(|stopping| *stopping).await;
    }
}
