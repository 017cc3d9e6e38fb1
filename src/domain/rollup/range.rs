//! Which rollups to read for a period.

use std::ops::RangeInclusive;

use super::{Hour, RollupLength};

/// Rollups of one length, by the hours in which their periods begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupRange {
    /// Their length.
    pub length: RollupLength,
    /// The hours in which they begin.
    pub hours: RangeInclusive<Hour>,
}

impl RollupRange {
    /// All rollups of a length.
    pub fn all(length: RollupLength) -> Self {
        Self { length, hours: Hour(i64::MIN)..=Hour(i64::MAX) }
    }

    /// The rollups that together count every message of these hours once, in order: those of whole days if `longest`
    /// is a day, and those of hours for the rest.
    ///
    /// ```
    /// use delivery_ledger::domain::rollup::range::RollupRange;
    /// use delivery_ledger::domain::rollup::{Hour, RollupLength};
    ///
    /// let [before, days, after] = &RollupRange::covering(Hour(20)..=Hour(72), RollupLength::Day)[..] else {
    ///     panic!("two days, and hours before and after them")
    /// };
    /// assert_eq!((before.length, &before.hours), (RollupLength::Hour, &(Hour(20)..=Hour(23))));
    /// assert_eq!((days.length, &days.hours), (RollupLength::Day, &(Hour(24)..=Hour(71))));
    /// assert_eq!((after.length, &after.hours), (RollupLength::Hour, &(Hour(72)..=Hour(72))));
    /// ```
    pub fn covering(hours: RangeInclusive<Hour>, longest: RollupLength) -> Vec<Self> {
        let (first, end) = (hours.start().0, hours.end().0.saturating_add(1));
        let length = longest.hours();
        // The whole periods between the two.
        let begin = first.div_euclid(length) + i64::from(first.rem_euclid(length) > 0);
        let (begin, finish) = (begin * length, end.div_euclid(length) * length);
        let range = |length, from: i64, to: i64| {
            (from < to).then(|| Self { length, hours: Hour(from)..=Hour(to - 1) })
        };
        if begin >= finish {
            return range(RollupLength::Hour, first, end).into_iter().collect();
        }
        let parts = [
            range(RollupLength::Hour, first, begin),
            range(longest, begin, finish),
            range(RollupLength::Hour, finish, end),
        ];
        parts.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::RollupRange;
    use crate::domain::rollup::{Hour, RollupLength};

    proptest! {
        #[test]
        fn ranges_include_every_hour_once_and_whole_days_only(
            first in -100_i64..100,
            length in 0_i64..200,
            by_days in any::<bool>(),
        ) {
            let longest = if by_days { RollupLength::Day } else { RollupLength::Hour };
            let mut next = first;
            for RollupRange { length, hours } in RollupRange::covering(Hour(first)..=Hour(first + length - 1), longest) {
                prop_assert_eq!(hours.start().0, next);
                next = hours.end().0 + 1;
                if length == RollupLength::Day {
                    prop_assert_eq!((hours.start().0.rem_euclid(24), next.rem_euclid(24)), (0, 0));
                }
            }
            prop_assert_eq!(next, first + length);
        }
    }

    #[test]
    fn all_hours_are_covered_by_days() {
        let all = RollupRange::all(RollupLength::Hour).hours;
        let ranges = RollupRange::covering(all, RollupLength::Day);
        let days: Vec<_> =
            ranges.iter().filter(|range| range.length == RollupLength::Day).collect();
        let [RollupRange { hours, .. }] = days[..] else { panic!("{ranges:?}") };
        assert!(hours.start().0 < i64::MIN + 24 && hours.end().0 > i64::MAX - 24, "{ranges:?}");
    }
}
