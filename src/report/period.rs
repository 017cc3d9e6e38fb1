//! The period that a report is compared with.

use jiff::civil::Time;

use super::ReportQuery;
use super::local_time::LocalTime;
use crate::domain::Timestamp;
use crate::domain::zone::Zone;

/// A period: from its beginning, and before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub since: Timestamp,
    pub until: Timestamp,
}

impl Period {
    /// The period of the same length directly before. If both ends are midnight in the zone, the length
    /// is a number of days, of which some may have 23 or 25 hours.
    pub fn previous(self, zone: &Zone) -> Self {
        let Self { since, until } = self;
        let (from, to) = (zone.local(since), zone.local(until));
        let are_days = from.time() == Time::midnight() && to.time() == Time::midnight();
        let days = from.date().duration_until(to.date()).as_hours() / 24;
        let earlier = i32::try_from(days)
            .ok()
            .and_then(|days| jiff::Span::new().try_days(days).ok())
            .and_then(|days| from.date().checked_sub(days).ok())
            .filter(|_| are_days);
        let length = until.micros().saturating_sub(since.micros());
        let before = Timestamp::from_micros(since.micros().saturating_sub(length));
        Self { since: earlier.map_or(before, |day| zone.start_of_day(day)), until: since }
    }

    /// How far a key of this period is ahead of the same key of another one, for each dimension of a
    /// report: the number of days, weeks and so on between the beginnings; 0 for anything else.
    pub fn shifts(self, other: Self, query: &ReportQuery) -> Vec<i64> {
        let local = |period: Self| LocalTime::new(&query.zone, period.since);
        let (ours, theirs) = (local(self), local(other));
        let shift = |by: &super::Dimension| match by.is_period() {
            true => by.number(ours) - by.number(theirs),
            false => 0,
        };
        query.by.iter().map(shift).collect()
    }
}
