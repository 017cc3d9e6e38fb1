//! Limits on a series of requests: how many, how long to wait, and when to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::RequestError;

/// The longest `Retry-After` that is obeyed; after a longer one the request fails.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

/// The interval at which a wait checks whether to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The limits of a series of requests.
#[derive(Clone)]
pub struct RequestLimits {
    requests_left: Arc<AtomicU64>,
    /// The number of them that are reserved for later work.
    kept_back: Arc<AtomicU64>,
    asked_to_stop: Arc<dyn Fn() -> bool + Send + Sync>,
    pub(super) wait_max: Duration,
}

impl RequestLimits {
    /// This many requests, until the function returns true.
    pub fn new(requests: u64, asked_to_stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            requests_left: Arc::new(AtomicU64::new(requests)),
            kept_back: Arc::default(),
            asked_to_stop: Arc::new(asked_to_stop),
            wait_max: RETRY_AFTER_MAX,
        }
    }

    /// The same limits with no wait longer than this.
    pub fn waiting_at_most(self, wait_max: Duration) -> Self {
        Self { wait_max, ..self }
    }

    /// Reserves this many requests for later work.
    pub fn keep_back(&self, requests: u64) {
        self.kept_back.store(requests, Ordering::Relaxed);
    }

    /// How many requests may still be made.
    pub fn requests_left(&self) -> u64 {
        self.requests_left.load(Ordering::Relaxed)
    }

    /// Counts a request; fails if none is left, or if the run is to stop.
    pub fn take_one(&self) -> Result<(), RequestError> {
        if (self.asked_to_stop)() {
            return Err(RequestError::Stopped);
        }
        let kept_back = self.kept_back.load(Ordering::Relaxed);
        let left = |left: u64| left.checked_sub(1).filter(|left| *left >= kept_back);
        let taken = self.requests_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        taken.map(|_| ()).map_err(|_| RequestError::RequestsUsedUp)
    }

    /// Waits; fails at once if the run is to stop.
    pub fn wait(&self, length: Duration) -> Result<(), RequestError> {
        let until = Instant::now() + length;
        while Instant::now() < until {
            if (self.asked_to_stop)() {
                return Err(RequestError::Stopped);
            }
            sleep(LOOK_AGAIN.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }
}
