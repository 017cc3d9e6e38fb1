//! Why the log's writer takes no events at the moment, and how long it waits before it tries again.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The first attempt follows the error at once; each further one waits longer.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A cause that is gone is noticed within this time.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The reason, for all to see.
#[derive(Debug, Default)]
pub struct WriterHealth(RwLock<Option<Arc<str>>>);

impl WriterHealth {
    /// Why nothing is taken, if that is so.
    pub fn reason(&self) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on nothing is taken, or it is for another reason.
    pub fn set(&self, reason: &Arc<str>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(reason));
    }

    /// Events are taken again.
    pub fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A time of errors, from the first one to the next commit that succeeds.
#[derive(Debug, Default)]
pub struct RetryBackoff {
    attempts: u32,
    /// Each reason is told once: a disk that stays full would fill another one with its lines.
    told: Vec<Arc<str>>,
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

    /// Tells the reason on stderr.
    pub fn tell(&mut self, reason: &Arc<str>) {
        if !self.told.contains(reason) {
            tracing::error!(%reason, "no callback is acknowledged until the log has been opened again");
            self.told.push(Arc::clone(reason));
        }
    }

    /// A commit has succeeded.
    pub fn over(&mut self) {
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
        let mut trouble = RetryBackoff::default();
        let waits: Vec<_> = (0..100).map(|_| trouble.next_wait()).collect();
        assert!(waits[0].is_zero());
        assert!(waits.is_sorted());
        assert_eq!(waits[99], LONGEST_WAIT);
        trouble.over();
        assert!(trouble.next_wait().is_zero());
    }
}
