//! Rate limits: some requests at once, and after that one per interval (the generic cell rate algorithm,
//! <https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many requests are allowed.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// At once, after a time without any.
    pub burst: u32,
    /// The time after which one more is allowed.
    pub every: Duration,
}

impl Quota {
    /// As many in a second, at once or spread over it. Not zero, and at most a thousand million.
    pub const fn per_second(count: u32) -> Self {
        Self { burst: count, every: Duration::from_nanos(1_000_000_000 / count as u64) }
    }

    /// The same with another burst.
    pub const fn with_burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// Counts requests made now. `full_at` is when the whole burst is allowed again, or was.
    fn count(
        self,
        full_at: Option<Instant>,
        now: Instant,
        requests: u32,
    ) -> Result<Instant, Exceeded> {
        let until_full = full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let until_full = until_full + self.every * requests;
        match until_full.checked_sub(self.every * self.burst) {
            Some(wait) if !wait.is_zero() => Err(Exceeded { wait }),
            _ => Ok(now + until_full),
        }
    }
}

/// A request that exceeds its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The time until a request is allowed again.
    pub wait: Duration,
}

/// Limits all requests together.
pub struct RateLimit {
    quota: Quota,
    full_at: Mutex<Option<Instant>>,
}

/// Limits the requests with the same key, such as an address.
pub struct RateLimits<K> {
    quota: Quota,
    keys_max: usize,
    full_at: Mutex<HashMap<K, Instant>>,
}

impl RateLimit {
    /// A limit of which nothing is used.
    pub fn new(quota: Quota) -> Self {
        Self { quota, full_at: Mutex::new(None) }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// There were too many; this one is not counted.
    pub fn try_acquire(&self) -> Result<(), Exceeded> {
        self.try_acquire_many(1)
    }

    /// Counts as many requests at once, or one of this weight. More than a burst are never allowed.
    ///
    /// # Errors
    ///
    /// There were too many; none of these is counted.
    pub fn try_acquire_many(&self, requests: u32) -> Result<(), Exceeded> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = Some(self.quota.count(*full_at, Instant::now(), requests)?);
        Ok(())
    }
}

impl<K: Hash + Eq> RateLimits<K> {
    /// Limits of which nothing is used. If there are more keys than `keys_max`, those whose whole burst is
    /// allowed again are forgotten, which changes nothing for them.
    pub fn new(quota: Quota, keys_max: usize) -> Self {
        Self { quota, keys_max, full_at: Mutex::new(HashMap::new()) }
    }

    /// Counts a request with this key.
    ///
    /// # Errors
    ///
    /// There were too many; this one is not counted.
    pub fn try_acquire(&self, key: K) -> Result<(), Exceeded> {
        let now = Instant::now();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() > self.keys_max {
            full_at.retain(|_, at| *at > now);
        }
        let next = self.quota.count(full_at.get(&key).copied(), now, 1)?;
        full_at.insert(key, next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::{Exceeded, Quota, RateLimit, RateLimits};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_allowed_then_one_per_interval_and_after_a_pause_a_burst_again() {
        let quota = Quota { burst: 3, every: SECOND };
        let begin = Instant::now();
        let mut full_at = None;
        let mut count = |millis| {
            let counted = quota.count(full_at, begin + Duration::from_millis(millis), 1);
            full_at = counted.ok().or(full_at);
            counted.map(|_| ())
        };
        let wait = |millis| Err(Exceeded { wait: Duration::from_millis(millis) });
        assert_eq!([count(0), count(0), count(0)], [Ok(()); 3]);
        assert_eq!(count(0), wait(1000));
        assert_eq!(count(600), wait(400));
        assert_eq!(count(1000), Ok(()));
        assert_eq!(count(1000), wait(1000));
        assert_eq!([count(9000), count(9000), count(9000)], [Ok(()); 3]);
        assert_eq!(count(9000), wait(1000));
    }

    #[test]
    fn a_heavy_request_counts_as_many_and_one_heavier_than_the_burst_never_passes() {
        let limit = RateLimit::new(Quota { burst: 10, every: Duration::from_secs(600) });
        assert!(limit.try_acquire_many(11).is_err());
        assert_eq!(limit.try_acquire_many(7), Ok(()));
        assert!(limit.try_acquire_many(4).is_err());
        assert_eq!(limit.try_acquire_many(3), Ok(()));
        assert!(limit.try_acquire().is_err());
    }

    #[test]
    fn keys_are_limited_separately_and_forgotten_only_when_that_changes_nothing() {
        let limits = RateLimits::new(Quota { burst: 1, every: Duration::from_secs(600) }, 2);
        assert_eq!(limits.try_acquire("a"), Ok(()));
        assert_eq!(limits.try_acquire("b"), Ok(()));
        assert!(
            (3..9).map(|n| n.to_string().leak() as &str).all(|key| limits.try_acquire(key).is_ok())
        );
        assert!(limits.try_acquire("a").is_err());
        let brief = RateLimits::new(Quota { burst: 1, every: Duration::from_nanos(1) }, 2);
        (0..9).for_each(|key| assert_eq!(brief.try_acquire(key), Ok(())));
        assert!(brief.full_at.lock().unwrap().len() <= 3);
    }

    proptest! {
        #[test]
        fn in_any_period_no_more_than_the_burst_and_one_per_interval_are_allowed(
            burst in 1..5_u32,
            gaps in prop::collection::vec(0..3000_u64, 1..60),
        ) {
            let quota = Quota { burst, every: SECOND };
            let (mut now, mut full_at, mut allowed) = (Instant::now(), None, Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                match quota.count(full_at, now, 1) {
                    Ok(next) => {
                        full_at = Some(next);
                        allowed.push(now);
                    }
                    Err(Exceeded { wait }) => {
                        prop_assert!(quota.count(full_at, now + wait, 1).is_ok());
                        let sooner = now + wait - Duration::from_nanos(1);
                        prop_assert!(quota.count(full_at, sooner, 1).is_err());
                    }
                }
            }
            for (index, from) in allowed.iter().enumerate() {
                for (count, to) in (1..).zip(&allowed[index..]) {
                    prop_assert!(count <= burst + (*to - *from).as_secs() as u32);
                }
            }
        }
    }
}
