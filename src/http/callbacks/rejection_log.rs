//! The log lines of rejected callbacks: one each on stderr, up to a rate.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Thousands of forged callbacks must not fill the disk.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).expect("five is not zero");

/// Logs rejections with their reason and nothing that was sent.
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

    /// A line that may be written now; `None` if there were too many, and one more is counted.
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
    /// Writes it, with the likely cause if that was searched for.
    pub fn write(self, status_code: u16, reason: &str, cause: Option<&str>) {
        let untold = self.omitted;
        tracing::warn!(status_code, untold, cause, "callback refused: {reason}");
    }
}
