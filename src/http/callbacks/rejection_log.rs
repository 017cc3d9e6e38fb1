//! The rate-limited log of rejected callbacks, on stderr.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::rate_limit::{Quota, RateLimit};

/// Thousands of forged callbacks must not fill the disk.
const LINES: Quota = Quota::per_second(5);

/// Logs the reason of each rejection, and nothing from the request.
pub struct RejectionLog {
    limit: RateLimit,
    omitted: AtomicU64,
}

impl Default for RejectionLog {
    fn default() -> Self {
        Self { limit: RateLimit::new(LINES), omitted: AtomicU64::new(0) }
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
        if self.limit.try_acquire().is_err() {
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
