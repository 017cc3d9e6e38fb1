//! The rate-limited log of rejected callbacks, on stderr.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Thousands of forged callbacks must not fill the disk.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).expect("five is not zero");

/// Logs the reason of each rejection, and nothing from the request.
pub struct RejectionLog {
    limiter: DefaultDirectRateLimiter,
    omitted: AtomicU64,
}

impl Default for RejectionLog {
    fn default() -> Self {
        let limiter = RateLimiter::direct(Quota::per_second(LINES_PER_SECOND));
        Self { limiter, omitted: AtomicU64::new(0) }
    }
}

impl RejectionLog {
    /// Logs a rejection, or counts it for the next line.
    pub fn write(&self, status_code: u16, reason: &str) {
        if let Some(line) = self.line() {
            line.write(status_code, reason, None);
        }
    }

    /// The permission to write a line now; `None` if the rate is exceeded, and the rejection is counted as
    /// omitted.
    pub fn line(&self) -> Option<Line> {
        if self.limiter.check().is_err() {
            self.omitted.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let omitted = self.omitted.swap(0, Ordering::Relaxed);
        Some(Line { omitted: (omitted > 0).then_some(omitted) })
    }
}

/// The permission to write one line.
pub struct Line {
    /// The number of rejections since the last line that were not logged.
    omitted: Option<u64>,
}

impl Line {
    /// Writes the line, with the likely cause if there is one.
    pub fn write(self, status_code: u16, reason: &str, cause: Option<&str>) {
        tracing::warn!(status_code, untold = self.omitted, cause, "callback refused: {reason}");
    }
}
