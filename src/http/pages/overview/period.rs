//! The period of the overview, in steps that the charts show as bars.

use crate::domain::Timestamp;
use crate::domain::rollup::Hour;
use crate::report::Dimension;

/// The hours of a day and of a quarter of it.
const DAY_HOURS: i64 = 24;
const QUARTER_HOURS: i64 = 6;

/// More bars would be thinner than their outlines.
const BARS_MAX: i64 = 48;

const HOUR_SECONDS: i64 = 3600;

/// The ranges that can be chosen, with their names for people.
pub const RANGES: [(&str, &str); 4] =
    [("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d")];

/// A period of whole hours, as roll-ups have them, in equal steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    first: Hour,
    /// The number of hours of a step.
    hours: i64,
    count: i64,
}

impl Steps {
    /// The steps of a range by its name, up to the end of the present one; `None` for another name.
    pub fn of_range(range: &str, now: Timestamp) -> Option<Self> {
        let (hours, count) = match range {
            // The present hour has only begun.
            "1h" => (1, 2),
            "24h" => (1, 24),
            "7d" => (QUARTER_HOURS, 28),
            "30d" => (DAY_HOURS, 30),
            _ => return None,
        };
        let end = end_of_step(now, hours);
        Some(Self { first: Hour(end - hours * count), hours, count })
    }

    /// The steps of a period, which is extended to whole ones.
    pub fn between(since: Timestamp, until: Timestamp) -> Self {
        let length = Hour::from_timestamp(until).0 - Hour::from_timestamp(since).0;
        let hours = match length {
            ..=BARS_MAX => 1,
            length if length <= BARS_MAX * QUARTER_HOURS => QUARTER_HOURS,
            length => DAY_HOURS * (length / (BARS_MAX * DAY_HOURS) + 1),
        };
        let first = Hour::from_timestamp(since).0.div_euclid(hours) * hours;
        // The end is not part of the period.
        let last = Timestamp::from_micros(until.micros().saturating_sub(1).max(since.micros()));
        let count = (end_of_step(last, hours) - first) / hours;
        Self { first: Hour(first), hours, count }
    }

    /// The beginning.
    pub fn since(&self) -> Timestamp {
        self.first.start()
    }

    /// The end of the last step.
    pub fn until(&self) -> Timestamp {
        self.starts_at(self.len())
    }

    /// The number of steps.
    pub fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or_default()
    }

    /// The beginning of a step.
    pub fn starts_at(&self, step: usize) -> Timestamp {
        let hours = i64::try_from(step).unwrap_or(i64::MAX).saturating_mul(self.hours);
        Hour(self.first.0.saturating_add(hours)).start()
    }

    /// The property by which reports count for the steps: days if they suffice, because the fewer rows a report
    /// has, the faster it is.
    pub fn dimension(&self) -> Dimension {
        if self.is_of_days() { Dimension::Day } else { Dimension::Hour }
    }

    fn is_of_days(&self) -> bool {
        self.hours % DAY_HOURS == 0
    }

    /// The step of a day or an hour, as reports by [`dimension`](Self::dimension) number them: days since 1970,
    /// and hours by their first second. `None` outside of the period.
    pub fn step_of(&self, number: i64) -> Option<usize> {
        let hour = match self.is_of_days() {
            true => number.saturating_mul(DAY_HOURS),
            false => number.div_euclid(HOUR_SECONDS),
        };
        let step = hour.saturating_sub(self.first.0).div_euclid(self.hours);
        usize::try_from(step).ok().filter(|step| *step < self.len())
    }

    /// How long a step is: `hour`, `6 hours`, `day`.
    pub fn step_name(&self) -> String {
        match self.hours {
            1 => "hour".to_owned(),
            DAY_HOURS => "day".to_owned(),
            hours if hours % DAY_HOURS == 0 => format!("{} days", hours / DAY_HOURS),
            hours => format!("{hours} hours"),
        }
    }

    /// How long the period is: `24 hours`, `7 days`.
    pub fn length(&self) -> String {
        match self.hours * self.count {
            hours if hours > 2 * DAY_HOURS && hours % DAY_HOURS == 0 => {
                format!("{} days", hours / DAY_HOURS)
            }
            hours => format!("{hours} hours"),
        }
    }
}

/// The hour at which the step with this time ends. Steps of a day begin at midnight, and so on.
fn end_of_step(time: Timestamp, hours: i64) -> i64 {
    (Hour::from_timestamp(time).0.div_euclid(hours) + 1) * hours
}

#[cfg(test)]
mod tests {
    use super::Steps;
    use crate::domain::Timestamp;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_range_ends_with_the_present_step() {
        let now = at("2026-11-25T14:56:20Z");
        for (range, since, until, steps) in [
            ("1h", "2026-11-25T13:00:00Z", "2026-11-25T15:00:00Z", 2),
            ("24h", "2026-11-24T15:00:00Z", "2026-11-25T15:00:00Z", 24),
            ("7d", "2026-11-18T18:00:00Z", "2026-11-25T18:00:00Z", 28),
            ("30d", "2026-10-27T00:00:00Z", "2026-11-26T00:00:00Z", 30),
        ] {
            let range = Steps::of_range(range, now).unwrap();
            assert_eq!((range.since(), range.until()), (at(since), at(until)));
            assert_eq!(range.len(), steps);
        }
        assert_eq!(Steps::of_range("2h", now), None);
    }

    #[test]
    fn a_period_is_extended_to_whole_steps() {
        for (since, until, first, end, name) in [
            (
                "2026-11-25T10:20:00Z",
                "2026-11-25T12:00:00Z",
                "2026-11-25T10:00:00Z",
                "2026-11-25T12:00:00Z",
                "hour",
            ),
            (
                "2026-11-20T10:20:00Z",
                "2026-11-25T12:00:01Z",
                "2026-11-20T06:00:00Z",
                "2026-11-25T18:00:00Z",
                "6 hours",
            ),
            (
                "2026-10-01T00:00:00Z",
                "2026-11-01T00:00:00Z",
                "2026-10-01T00:00:00Z",
                "2026-11-01T00:00:00Z",
                "day",
            ),
            (
                "2025-11-25T00:00:00Z",
                "2026-11-25T00:00:00Z",
                "2025-11-24T00:00:00Z",
                "2026-11-27T00:00:00Z",
                "8 days",
            ),
        ] {
            let steps = Steps::between(at(since), at(until));
            assert_eq!((steps.since(), steps.until()), (at(first), at(end)), "{since}");
            assert_eq!(steps.step_name(), name);
            assert!(steps.len() <= 49, "{}", steps.len());
        }
    }

    #[test]
    fn every_hour_of_the_period_has_a_step() {
        let steps = Steps::of_range("7d", at("2026-11-25T14:56:20Z")).unwrap();
        let seconds = |time: &str| at(time).micros() / 1_000_000;
        assert_eq!(steps.step_of(seconds("2026-11-18T17:00:00Z")), None);
        assert_eq!(steps.step_of(seconds("2026-11-18T18:00:00Z")), Some(0));
        assert_eq!(steps.step_of(seconds("2026-11-18T23:00:00Z")), Some(0));
        assert_eq!(steps.step_of(seconds("2026-11-19T00:00:00Z")), Some(1));
        assert_eq!(steps.step_of(seconds("2026-11-25T17:00:00Z")), Some(27));
        assert_eq!(steps.step_of(seconds("2026-11-25T18:00:00Z")), None);
        let days = Steps::of_range("30d", at("2026-11-25T14:56:20Z")).unwrap();
        let day = |text: &str| seconds(text) / 86_400;
        assert_eq!(days.step_of(day("2026-10-26T00:00:00Z")), None);
        assert_eq!(days.step_of(day("2026-10-27T00:00:00Z")), Some(0));
        assert_eq!(days.step_of(day("2026-11-25T00:00:00Z")), Some(29));
        assert_eq!(days.step_of(day("2026-11-26T00:00:00Z")), None);
    }
}
