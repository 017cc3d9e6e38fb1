//! Counts of accepted and rejected callbacks by minute, as a running server keeps them.

use crate::domain::Timestamp;

const MINUTE_MICROS: i64 = 60_000_000;

/// The minutes that are called recent: long enough for a slow sender, short enough for an outage.
pub const RECENT_MINUTES: i64 = 10;

/// The callbacks of one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinuteCounts {
    /// The minute, counted from 1970 in UTC.
    pub minute: i64,
    /// Callbacks that were stored.
    pub accepted: u64,
    /// Requests that were rejected.
    pub rejected: u64,
}

/// The callbacks of the last minutes. Minutes without any are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentCallbacks {
    /// In order.
    pub minutes: Vec<MinuteCounts>,
    /// When the server started to count.
    pub since: Option<Timestamp>,
}

/// The numbers of some minutes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Callbacks that were stored.
    pub accepted: u64,
    /// Requests that were rejected.
    pub rejected: u64,
}

/// The minute of a moment.
pub fn minute_of(moment: Timestamp) -> i64 {
    moment.micros().div_euclid(MINUTE_MICROS)
}

/// The beginning of a minute.
pub fn start_of(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute.saturating_mul(MINUTE_MICROS))
}

impl MinuteCounts {
    /// The beginning of the minute.
    pub fn start(self) -> Timestamp {
        start_of(self.minute)
    }
}

impl Counts {
    /// Accepted and rejected requests.
    pub fn all(self) -> u64 {
        self.accepted + self.rejected
    }
}

impl RecentCallbacks {
    /// The numbers of the last ten minutes before a moment.
    pub fn last_minutes(&self, now: Timestamp) -> Counts {
        let end = minute_of(now) + 1;
        self.between(end - RECENT_MINUTES, end)
    }

    /// The counts from a minute on, up to but not including another one.
    pub fn between(&self, from: i64, before: i64) -> Counts {
        let within = self.minutes.iter().filter(|one| (from..before).contains(&one.minute));
        within.fold(Counts::default(), |sum, one| Counts {
            accepted: sum.accepted + one.accepted,
            rejected: sum.rejected + one.rejected,
        })
    }

    /// The minute in which the current run of rejections began; a gap longer than this many minutes ends
    /// a run. `None` if there is none.
    pub fn rejected_since(&self, pause_max: i64) -> Option<i64> {
        let rejected = self.minutes.iter().rev().filter(|one| one.rejected > 0);
        let mut began = None;
        for MinuteCounts { minute, .. } in rejected {
            if began.is_some_and(|later| later - minute > pause_max) {
                break;
            }
            began = Some(*minute);
        }
        began
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, MinuteCounts, RecentCallbacks};

    fn recent(minutes: &[(i64, u64, u64)]) -> RecentCallbacks {
        let counts = |(minute, accepted, rejected): &(i64, u64, u64)| MinuteCounts {
            minute: *minute,
            accepted: *accepted,
            rejected: *rejected,
        };
        RecentCallbacks { minutes: minutes.iter().map(counts).collect(), since: None }
    }

    #[test]
    fn the_minutes_of_a_window_are_added() {
        let recent = recent(&[(10, 1, 0), (11, 2, 5), (13, 4, 7)]);
        assert_eq!(recent.between(11, 13), Counts { accepted: 2, rejected: 5 });
        assert_eq!(recent.between(10, 14), Counts { accepted: 7, rejected: 12 });
        assert_eq!(recent.between(14, 99), Counts::default());
    }

    #[test]
    fn rejections_began_after_the_last_long_pause() {
        assert_eq!(recent(&[(10, 1, 0)]).rejected_since(10), None);
        assert_eq!(
            recent(&[(10, 0, 1), (25, 0, 1), (30, 9, 1), (40, 0, 2)]).rejected_since(10),
            Some(25)
        );
    }
}
