//! The period that a report is compared with.

use jiff::Span;
use jiff::civil::{Date, Time};

use super::ReportQuery;
use super::local_time::LocalTime;
use crate::domain::Timestamp;
use crate::domain::time::zone::Zone;

/// A period: from its beginning, and before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first moment of it.
    pub since: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Period {
    /// The period of the same length directly before. If both ends are midnight in the zone, the length
    /// is a number of days, of which some may have 23 or 25 hours; if both are the first of a month, it is
    /// a number of months.
    pub fn previous(self, zone: &Zone) -> Self {
        let Self { since, until } = self;
        let (from, to) = (zone.local(since), zone.local(until));
        let are_days = from.time() == Time::midnight() && to.time() == Time::midnight();
        let length = match (from.day(), to.day()) {
            (1, 1) => Span::new().try_months(months(to.date()) - months(from.date())),
            _ => Span::new().try_days(from.date().duration_until(to.date()).as_hours() / 24),
        };
        let earlier = length.and_then(|length| from.date().checked_sub(length));
        let earlier = earlier.ok().filter(|_| are_days);
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

/// The number of a date's month.
fn months(date: Date) -> i32 {
    i32::from(date.year()) * 12 + i32::from(date.month())
}

#[cfg(test)]
mod tests {
    use super::Period;
    use crate::domain::Timestamp;
    use crate::domain::time::zone::Zone;

    #[test]
    fn the_previous_period_has_as_many_months_days_or_hours() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        for (since, until, before) in [
            // October and September, the third quarter and the second, this year and the last.
            ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", "2026-08-31T22:00:00Z"),
            ("2026-06-30T22:00:00Z", "2026-09-30T22:00:00Z", "2026-03-31T22:00:00Z"),
            ("2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z", "2024-12-31T23:00:00Z"),
            // Clocks were set back on 25 October.
            ("2026-10-25T23:00:00Z", "2026-11-01T23:00:00Z", "2026-10-18T22:00:00Z"),
            ("2026-10-31T23:00:00Z", "2026-11-14T23:00:00Z", "2026-10-17T22:00:00Z"),
            ("2026-10-25T23:00:00Z", "2026-10-26T11:00:00Z", "2026-10-25T11:00:00Z"),
        ] {
            let previous = Period { since: at(since), until: at(until) }.previous(&berlin);
            assert_eq!(previous, Period { since: at(before), until: at(since) }, "{since}");
        }
    }
}
