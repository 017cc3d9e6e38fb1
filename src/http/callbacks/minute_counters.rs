//! The numbers of callbacks in each of the last minutes, for the health page. Counting takes a few
//! nanoseconds and no lock.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use time::OffsetDateTime;

use crate::checks::callback_counts::{MinuteCounts, RecentCallbacks, minute_of};
use crate::domain::Timestamp;

/// The number of minutes that are remembered: the page shows the last 90.
const MINUTES: usize = 128;

/// Counters of the last minutes, each in the place of its number.
pub struct MinuteCounters {
    places: [Place; MINUTES],
    since: Timestamp,
}

#[derive(Default)]
struct Place {
    minute: AtomicI64,
    accepted: AtomicU64,
    rejected: AtomicU64,
}

impl Default for MinuteCounters {
    fn default() -> Self {
        Self { places: std::array::from_fn(|_| Place::default()), since: now() }
    }
}

impl MinuteCounters {
    /// Counts a callback that is on disk.
    pub fn accepted(&self) {
        self.place(minute_of(now())).accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a callback that was rejected.
    pub fn rejected(&self) {
        self.place(minute_of(now())).rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// The place of a minute. The first callback of a minute empties it; one that another thread counts
    /// at the same time may be lost.
    fn place(&self, minute: i64) -> &Place {
        let place = &self.places[minute.rem_euclid(MINUTES as i64) as usize];
        if place.minute.load(Ordering::Relaxed) != minute
            && place.minute.swap(minute, Ordering::Relaxed) != minute
        {
            place.accepted.store(0, Ordering::Relaxed);
            place.rejected.store(0, Ordering::Relaxed);
        }
        place
    }

    /// The last minutes, in order.
    pub fn read(&self) -> RecentCallbacks {
        let current = minute_of(now());
        let counts = |place: &Place| MinuteCounts {
            minute: place.minute.load(Ordering::Relaxed),
            accepted: place.accepted.load(Ordering::Relaxed),
            rejected: place.rejected.load(Ordering::Relaxed),
        };
        let is_recent =
            |one: &MinuteCounts| (current - MINUTES as i64 + 1..=current).contains(&one.minute);
        let mut minutes: Vec<_> = self.places.iter().map(counts).filter(is_recent).collect();
        minutes.sort_by_key(|one| one.minute);
        RecentCallbacks { minutes, since: Some(self.since) }
    }
}

fn now() -> Timestamp {
    Timestamp::from(OffsetDateTime::now_utc())
}

#[cfg(test)]
mod tests {
    use super::MinuteCounters;

    #[test]
    fn callbacks_are_counted_in_their_minute() {
        let counters = MinuteCounters::default();
        counters.accepted();
        counters.accepted();
        counters.rejected();
        let recent = counters.read();
        let all = recent.between(i64::MIN, i64::MAX);
        assert_eq!((all.accepted, all.rejected), (2, 1));
    }

    #[test]
    fn a_place_is_used_again_after_all_minutes() {
        let counters = MinuteCounters::default();
        let count = |minute| {
            let place = counters.place(minute);
            place.accepted.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1
        };
        assert_eq!((count(1000), count(1000), count(1000 + 128)), (1, 2, 1));
    }
}
