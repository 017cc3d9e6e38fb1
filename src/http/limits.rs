//! How many event streams are open, and their common end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::error::Problem;

/// How many readers may follow the log at once. Each takes a connection and, where it reads slowly,
/// some megabytes; dashboards are a handful.
pub const STREAMS_MAX: usize = 64;

/// The streams of one server.
#[derive(Clone)]
pub struct Streams {
    free: Arc<Semaphore>,
    stopping: Arc<watch::Sender<bool>>,
}

/// One stream; counted off when dropped.
pub struct Stream {
    _permit: OwnedSemaphorePermit,
    stopping: Stopping,
}

/// The moment when streams are to end.
#[derive(Clone)]
pub struct Stopping(watch::Receiver<bool>);

impl Default for Streams {
    fn default() -> Self {
        let free = Arc::new(Semaphore::new(STREAMS_MAX));
        Self { free, stopping: Arc::new(watch::Sender::new(false)) }
    }
}

impl Streams {
    /// One more stream, where it is not one too many.
    pub fn enter(&self) -> Result<Stream, Problem> {
        let permit = Arc::clone(&self.free).try_acquire_owned();
        let permit = permit.map_err(|_| Problem::TooManyStreams)?;
        Ok(Stream { _permit: permit, stopping: Stopping(self.stopping.subscribe()) })
    }

    /// Asks all streams to end, and takes no more.
    pub fn end(&self) {
        self.stopping.send_replace(true);
    }

    /// Returns once none is left, at the latest after `patience`.
    pub async fn finished(&self, patience: Duration) {
        let all = self.free.acquire_many(STREAMS_MAX as u32);
        let _too_slow = tokio::time::timeout(patience, all).await;
    }
}

impl Stream {
    /// When it is to end.
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }
}

impl Stopping {
    /// Resolves once streams are to end.
    pub async fn begun(&mut self) {
        // An error means that nobody is left to ask for the end.
        let _ended = self.0.wait_for(|stopping| *stopping).await;
    }
}
