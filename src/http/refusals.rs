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
        if let Some(line) = self.line() {
            line.write(status_code, reason, None);
        }
    }

    /// A line to be written now; nothing where there were too many, and one more is counted.
    pub fn line(&self) -> Option<Line> {
        if self.limiter.check().is_err() {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let untold = self.untold.swap(0, Ordering::Relaxed);
        Some(Line { untold: (untold > 0).then_some(untold) })
    }
}

/// One line.
pub struct Line {
    /// How many have come since the last one, and were not told.
    untold: Option<u64>,
}

impl Line {
    /// Writes it, with the likely cause where that was looked for.
    pub fn write(self, status_code: u16, reason: &str, cause: Option<&str>) {
        let untold = self.untold;
        tracing::warn!(status_code, untold, cause, "callback refused: {reason}");
    }
}
