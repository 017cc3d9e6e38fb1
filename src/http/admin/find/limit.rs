//! The limit of lookups by a whole number, for each token.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::http::error::Problem;

/// Lookups at once: a team of agents who all answer calls after an outage.
const BURST: NonZeroU32 = NonZeroU32::new(30).expect("it is not zero");

/// The time between lookups after that: more calls than thirty agents take. Somebody who tries ten thousand
/// numbers one after the other takes over five hours, and leaves as many access records.
const EVERY: Duration = Duration::from_secs(2);

/// The lookups of each token, by its name. Tokens are configured, so there are few.
pub struct Lookups(DefaultKeyedRateLimiter<Arc<str>>);

impl Default for Lookups {
    fn default() -> Self {
        let quota = Quota::with_period(EVERY).expect("it is not zero");
        Self(RateLimiter::keyed(quota.allow_burst(BURST)))
    }
}

impl Lookups {
    /// Counts a lookup; the error if the token has made too many.
    pub fn count(&self, token: &Arc<str>) -> Result<(), Problem> {
        self.0.check_key(token).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Problem::TooManyLookups { retry_after_seconds: wait.as_secs() + 1 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Lookups;

    #[test]
    fn each_token_has_a_limit_of_its_own() {
        let lookups = Lookups::default();
        let made = |token: &str, times: usize| {
            (0..times).filter(|_| lookups.count(&token.into()).is_ok()).count()
        };
        assert_eq!(made("support", 40), 30);
        assert_eq!(made("other", 5), 5);
        let error = lookups.count(&"support".into()).unwrap_err();
        assert_eq!(error.to_string(), "this token has looked up too many numbers; wait 2 s");
    }
}
