//! The limit of lookups by a whole number, for each token.

use std::sync::Arc;
use std::time::Duration;

use crate::http::error::Problem;
use crate::rate_limit::{Quota, RateLimits};

/// Lookups at once: a team of agents who all answer calls after an outage. After that, more calls than
/// thirty agents take: somebody who tries ten thousand numbers one after the other takes over five hours,
/// and leaves as many access records.
const QUOTA: Quota = Quota { burst: 30, every: Duration::from_secs(2) };

/// The tokens whose lookups are remembered. They are configured, so there are far fewer.
const TOKENS_MAX: usize = 10_000;

/// The lookups of each token, by its name.
pub struct Lookups(RateLimits<Arc<str>>);

impl Default for Lookups {
    fn default() -> Self {
        Self(RateLimits::new(QUOTA, TOKENS_MAX))
    }
}

impl Lookups {
    /// Counts a lookup; the error if the token has made too many.
    pub fn count(&self, token: &Arc<str>) -> Result<(), Problem> {
        self.0.try_acquire(Arc::clone(token)).map_err(|exceeded| Problem::TooManyLookups {
            retry_after_seconds: exceeded.wait.as_secs() + 1,
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
