//! The health of the log's writer: why it rejects events, and when it tries again.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The wait before the second attempt. The first follows the error at once; each further one waits longer.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait between attempts: recovery is noticed within this time.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Why the writer rejects events, shared with its handles.
#[derive(Debug, Default)]
pub struct WriterHealth(RwLock<Option<Arc<str>>>);

impl WriterHealth {
    /// Why events are rejected; `None` if they are accepted.
    pub fn reason(&self) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Rejects events from now on, for this reason.
    pub fn set(&self, reason: &Arc<str>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(reason));
    }

    /// Accepts events again.
    pub fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The waits between attempts to reopen the log, from an error until the next successful commit.
#[derive(Debug, Default)]
pub struct RetryBackoff {
    attempts: u32,
    /// Reasons that were logged; each is logged once, because attempts may continue for days.
    reported: Vec<Arc<str>>,
}

impl RetryBackoff {
    /// How long to wait before the next attempt.
    pub fn next_wait(&mut self) -> Duration {
        let wait = match self.attempts {
            0 => Duration::ZERO,
            attempts => FIRST_WAIT.saturating_mul(1 << (attempts - 1).min(16)),
        };
        self.attempts += 1;
        wait.min(LONGEST_WAIT)
    }

    /// Logs the reason, unless it was logged before.
    pub fn report(&mut self, reason: &Arc<str>) {
        if !self.reported.contains(reason) {
            tracing::error!(%reason, "no callback is acknowledged until the log has been opened again");
            self.reported.push(Arc::clone(reason));
        }
    }

    /// Starts over after a successful commit.
    pub fn reset(&mut self) {
        if self.attempts > 0 {
            tracing::info!("the log is written again");
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_WAIT, RetryBackoff};

    #[test]
    fn the_first_attempt_comes_at_once_and_later_ones_at_least_once_a_second() {
        let mut backoff = RetryBackoff::default();
        let waits: Vec<_> = (0..100).map(|_| backoff.next_wait()).collect();
        assert!(waits[0].is_zero());
        assert!(waits.is_sorted());
        assert_eq!(waits[99], LONGEST_WAIT);
        backoff.reset();
        assert!(backoff.next_wait().is_zero());
    }
}
