//! The consecutive hours, days, weeks or months of a period: its rows or columns in a report, also those
//! without messages.

use jiff::civil::Date;

use super::local_time::LocalTime;
use super::{Dimension, Period, RowKey};
use crate::domain::Timestamp;
use crate::domain::time::zone::Zone;

const HOUR_MICROS: i64 = 3_600_000_000;

/// An hour, day, week or month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The key of its row.
    pub key: RowKey,
    /// When it begins and ends, also if only a part of it is in the period.
    pub whole: Period,
    /// The part of it in the period.
    pub part: Period,
}

impl Dimension {
    /// The steps of a period in order; `None` if there are more than `max`, or if the dimension is not one of
    /// consecutive periods.
    pub fn steps(&self, period: Period, zone: &Zone, max: usize) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        let mut at = period.since;
        while at < period.until {
            let local = LocalTime::new(zone, at);
            let whole = self.around(local, zone)?;
            if steps.len() == max || whole.until <= at {
                return None;
            }
            steps.push(Step {
                key: RowKey::Number(self.number(local)),
                part: Period { since: at, until: whole.until.min(period.until) },
                whole,
            });
            at = whole.until;
        }
        Some(steps)
    }

    /// The hour, day, week or month of a time.
    fn around(&self, local: LocalTime, zone: &Zone) -> Option<Period> {
        let days = |first: Date, next: Date| Period {
            since: zone.start_of_day(first),
            until: zone.start_of_day(next),
        };
        let date = LocalTime::date_of;
        Some(match self {
            Dimension::Hour => {
                let since = Timestamp::from_micros(local.hour_starts_at * 1_000_000);
                let later = Timestamp::from_micros(since.micros() + HOUR_MICROS);
                // Clocks that change within an hour begin another one.
                let until = zone.start_of_hour(later);
                Period { since, until: if until > since { until } else { later } }
            }
            Dimension::Day => days(date(local.day)?, date(local.day + 1)?),
            Dimension::Week => {
                let first = |week| date(LocalTime::first_day_of_week(week));
                days(first(local.week())?, first(local.week() + 1)?)
            }
            Dimension::Month => {
                days(first_of_month(local.month())?, first_of_month(local.month() + 1)?)
            }
            _ => return None,
        })
    }
}

/// The first day of a month by its number.
fn first_of_month(month: i64) -> Option<Date> {
    let year = i16::try_from(month.div_euclid(12)).ok()?;
    Date::new(year, i8::try_from(month.rem_euclid(12)).ok()? + 1, 1).ok()
}

#[cfg(test)]
mod tests {
    use super::super::{Dimension, Period};
    use crate::domain::Timestamp;
    use crate::domain::time::zone::Zone;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// The keys of the steps, and the hours of each.
    fn steps(by: &Dimension, since: &str, until: &str, zone: &str) -> Vec<(String, i64)> {
        let zone = Zone::parse(zone).unwrap();
        let period = Period { since: at(since), until: at(until) };
        let steps = by.steps(period, &zone, 1000).unwrap();
        assert_eq!(steps.first().unwrap().part.since, period.since);
        assert_eq!(steps.last().unwrap().part.until, period.until);
        assert!(steps.windows(2).all(|two| two[0].part.until == two[1].part.since));
        let hour = |starts_at: i64| zone.show_hour(Timestamp::from_micros(starts_at * 1_000_000));
        let shown = |step: &super::Step| {
            let hours = (step.whole.until.micros() - step.whole.since.micros()) / 3_600_000_000;
            (by.format(&step.key, hour).unwrap(), hours)
        };
        steps.iter().map(shown).collect()
    }

    #[test]
    fn days_weeks_and_months_are_those_of_the_zone_and_some_are_longer() {
        let shown = |steps: Vec<(String, i64)>| {
            steps.iter().map(|(key, hours)| format!("{key} {hours}")).collect::<Vec<_>>().join(", ")
        };
        let since = "2026-10-23T22:00:00Z";
        let days = steps(&Dimension::Day, since, "2026-10-26T12:00:00Z", "Europe/Berlin");
        assert_eq!(shown(days), "2026-10-24 24, 2026-10-25 25, 2026-10-26 24");
        let weeks = steps(&Dimension::Week, since, "2026-11-02T00:00:00Z", "Europe/Berlin");
        assert_eq!(shown(weeks), "2026-W43 169, 2026-W44 168, 2026-W45 168");
        let months = steps(&Dimension::Month, since, "2026-12-01T00:00:00Z", "UTC");
        assert_eq!(shown(months), "2026-10 744, 2026-11 720");
    }

    #[test]
    fn an_hour_that_clocks_show_twice_is_two_steps() {
        let keys = |since, until, zone| {
            let steps = steps(&Dimension::Hour, since, until, zone);
            steps.into_iter().map(|(key, _)| key[11..].to_owned()).collect::<Vec<_>>().join(" ")
        };
        let twice = keys("2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z", "Europe/Berlin");
        assert_eq!(twice, "02:00:00+02:00 02:00:00+01:00 03:00:00+01:00");
        // Clocks change by half an hour.
        let half = keys("2026-04-04T13:30:00Z", "2026-04-04T16:30:00Z", "Australia/Lord_Howe");
        assert_eq!(half, "00:00:00+11:00 01:00:00+11:00 01:00:00+10:30 02:00:00+10:30");
    }

    #[test]
    fn there_may_be_too_many() {
        let period =
            Period { since: at("2026-01-01T00:00:00Z"), until: at("2026-01-03T00:00:00Z") };
        assert!(Dimension::Hour.steps(period, &Zone::default(), 48).is_some());
        assert!(Dimension::Hour.steps(period, &Zone::default(), 47).is_none());
        assert!(Dimension::Country.steps(period, &Zone::default(), 48).is_none());
    }
}
