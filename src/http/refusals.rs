//! One line on stderr for each refused callback, until there are too many of them.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Lines a second. Whoever sends forged callbacks by the thousand must not fill the disk.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).expect("five is not zero");

/// Tells of refusals, with the reason and nothing that was sent.
pub struct Refusals {
    limiter: DefaultDirectRateLimiter,
    untold: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Self {
        let limiter = RateLimiter::direct(Quota::per_second(LINES_PER_SECOND));
        Self { limiter, untold: AtomicU64::new(0) }
    }
}

impl Refusals {
    /// Tells of one refusal, or counts it for the next line.
    pub fn tell(&self, status_code: u16, reason: &str) {
        if self.limiter.check().is_err() {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match self.untold.swap(0, Ordering::Relaxed) {
            0 => tracing::warn!(status_code, "callback refused: {reason}"),
            untold => tracing::warn!(status_code, untold, "callback refused: {reason}"),
        }
    }
}
