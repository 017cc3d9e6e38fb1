//! When subaccounts are fetched: at the start, daily, and on request, within limits.
//! Plain rules over times; [`worker`](super::worker) acts on them.

use std::time::{Duration, Instant};

/// The interval without any request: names, states and rotated tokens change without an unknown account
/// that would be noticed, and a subaccount that was removed must not stay accepted forever.
pub const EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The minimum time between two fetches because of callbacks. Anybody can send callbacks with invented
/// AccountSids, and a fetch takes up to eleven requests to Twilio for each account, more if they have to be
/// repeated, and a check of the whole quarantine.
pub const CALLBACKS_EVERY_MIN: Duration = Duration::from_secs(5 * 60);

/// The wait after the first failure; each further one is twice as long.
const FAILURE_WAIT_MIN: Duration = Duration::from_secs(30);

/// The longest of these waits.
const FAILURE_WAIT_MAX: Duration = Duration::from_secs(60 * 60);

/// What has been requested since the last fetch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requested {
    /// By a callback of an account that is not known, or that signs with another token.
    pub by_callback: bool,
    /// By the operator.
    pub by_operator: bool,
}

/// The past fetches, as far as they decide when the next one is due.
#[derive(Debug)]
pub struct Pace {
    /// When the next one is due without a request.
    next: Instant,
    /// When the next one is allowed because of a callback.
    callbacks_from: Instant,
    failures: u32,
}

impl Pace {
    /// The first fetch is due at once.
    pub fn starting(now: Instant) -> Self {
        Self { next: now, callbacks_from: now, failures: 0 }
    }

    /// How long to wait for the next fetch if nothing else is requested; zero if it is due.
    pub fn wait(&self, requested: Requested, now: Instant) -> Duration {
        let due = match requested {
            Requested { by_operator: true, .. } => now,
            // After a failure, only its wait counts.
            Requested { by_callback: true, .. } if self.failures == 0 => {
                self.next.min(self.callbacks_from)
            }
            _ => self.next,
        };
        due.saturating_duration_since(now)
    }

    /// Records a fetch that has ended.
    pub fn fetched(&mut self, requested: Requested, succeeded: bool, now: Instant) {
        if requested.by_callback {
            self.callbacks_from = now + CALLBACKS_EVERY_MIN;
        }
        if succeeded {
            (self.failures, self.next) = (0, now + EVERY);
            return;
        }
        let wait = FAILURE_WAIT_MIN.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures += 1;
        self.next = now + wait.min(FAILURE_WAIT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{CALLBACKS_EVERY_MIN, EVERY, Pace, Requested};

    const NOTHING: Requested = Requested { by_callback: false, by_operator: false };
    const CALLBACK: Requested = Requested { by_callback: true, by_operator: false };
    const OPERATOR: Requested = Requested { by_callback: false, by_operator: true };
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_fetches_at_the_start_and_then_daily() {
        let now = Instant::now();
        let mut pace = Pace::starting(now);
        assert_eq!(pace.wait(NOTHING, now), Duration::ZERO);
        pace.fetched(NOTHING, true, now);
        assert_eq!(pace.wait(NOTHING, now + SECOND), EVERY - SECOND);
    }

    #[test]
    fn the_first_unknown_account_is_due_at_once_and_the_next_one_waits() {
        let now = Instant::now();
        let mut pace = Pace::starting(now);
        pace.fetched(NOTHING, true, now);
        assert_eq!(pace.wait(CALLBACK, now + SECOND), Duration::ZERO);
        pace.fetched(CALLBACK, true, now + SECOND);
        assert_eq!(pace.wait(CALLBACK, now + SECOND * 2), CALLBACKS_EVERY_MIN - SECOND);
        assert_eq!(pace.wait(CALLBACK, now + SECOND + CALLBACKS_EVERY_MIN), Duration::ZERO);
    }

    #[test]
    fn every_failure_doubles_the_wait_whatever_callbacks_arrive() {
        let now = Instant::now();
        let mut pace = Pace::starting(now);
        for minutes in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            pace.fetched(CALLBACK, false, now);
            let wait = Duration::from_secs_f64(minutes * 60.0);
            assert_eq!((pace.wait(NOTHING, now), pace.wait(CALLBACK, now)), (wait, wait));
        }
        pace.fetched(NOTHING, true, now);
        assert_eq!(pace.wait(NOTHING, now), EVERY);
    }

    #[test]
    fn the_operator_does_not_wait() {
        let now = Instant::now();
        let mut pace = Pace::starting(now);
        pace.fetched(CALLBACK, false, now);
        assert_eq!(pace.wait(OPERATOR, now), Duration::ZERO);
    }
}
