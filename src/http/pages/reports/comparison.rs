//! The period that a report is compared with.

use jiff::Span;
use jiff::civil::{DateTime, Time};

use crate::domain::Timestamp;
use crate::domain::time::zone::Zone;
use crate::http::error::Problem;
use crate::report::{Dimension, Period, comparison};
use crate::wire::filter::{in_order, time_flag};
use crate::wire::parameters::BadValue;

/// What would be right for anything that is not a comparison.
const EXPECTED: &str = "previous, year, none, or SINCE..UNTIL, such as 2026-10-01..2026-11-01";

/// The days after which a weekday, week or day of a year ago is compared: 52 weeks.
const YEAR_DAYS: i64 = 364;

/// What a report is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Compare {
    /// The period before, to the same hour if the present one has not ended.
    #[default]
    Previous,
    /// The same period a year ago.
    Year,
    Nothing,
    /// Another period, as it was written.
    With(String),
}

impl Compare {
    /// Reads the value of the parameter.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        match text {
            "" | "previous" => Ok(Compare::Previous),
            "year" => Ok(Compare::Year),
            "none" => Ok(Compare::Nothing),
            text if matches!(comparison::split(text), Ok(Some(_))) => {
                Ok(Compare::With(text.to_owned()))
            }
            text => Err(BadValue::new("compare", text, EXPECTED).into()),
        }
    }

    /// The value of the parameter.
    pub fn name(&self) -> &str {
        match self {
            Compare::Previous => "previous",
            Compare::Year => "year",
            Compare::Nothing => "none",
            Compare::With(period) => period,
        }
    }

    /// The period that another one is compared with in a report by these properties.
    ///
    /// # Errors
    ///
    /// The period that was written is none.
    pub fn period(
        &self,
        by: &[Dimension],
        period: Period,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<Option<Period>, Problem> {
        Ok(match self {
            Compare::Previous => Some(before(by, period, zone)),
            Compare::Year => Some(earlier(period, year(by), zone)),
            Compare::Nothing => None,
            Compare::With(text) => {
                let (since, until) = text.split_once("..").unwrap_or((text, ""));
                let time = |text: &str| time_flag("compare", text.trim(), now, zone);
                let (since, until) = (time(since)?, time(until)?);
                in_order(Some(since), Some(until))?;
                Some(Period { since, until })
            }
        })
    }
}

/// The period before. If one begins at midnight it is a whole number of days, weeks or months earlier, so
/// that an unfinished one is compared with as many hours; otherwise it is of the same length, directly before.
fn before(by: &[Dimension], period: Period, zone: &Zone) -> Period {
    let (from, to) = (zone.local(period.since), zone.local(period.until));
    if from.time() != Time::midnight() {
        return period.previous(zone);
    }
    let is_by = |wanted: &[Dimension]| by.iter().any(|by| wanted.contains(by));
    if from.day() == 1 && is_by(&[Dimension::Month]) {
        let months = |time: DateTime| i64::from(time.year()) * 12 + i64::from(time.month());
        let is_whole = to.day() == 1 && to.time() == Time::midnight();
        return earlier(
            period,
            Span::new().months(months(to) - months(from) + i64::from(!is_whole)),
            zone,
        );
    }
    let days = from.date().duration_until(to.date()).as_hours() / 24;
    let days = days + i64::from(to.time() > Time::midnight());
    let days = match is_by(&[Dimension::Week, Dimension::Weekday]) {
        true => (days + 6) / 7 * 7,
        false => days,
    };
    earlier(period, Span::new().days(days), zone)
}

fn year(by: &[Dimension]) -> Span {
    let is_by_days = |by: &Dimension| by.is_time() && *by != Dimension::Month;
    match by.iter().any(is_by_days) {
        true => Span::new().days(YEAR_DAYS),
        false => Span::new().years(1),
    }
}

/// What clocks showed this long before.
fn earlier(period: Period, length: Span, zone: &Zone) -> Period {
    let earlier = |time: Timestamp| {
        let local = zone.local(time);
        zone.time(local.checked_sub(length).unwrap_or(local))
    };
    Period { since: earlier(period.since), until: earlier(period.until) }
}

#[cfg(test)]
mod tests {
    use super::Compare;
    use crate::domain::Timestamp;
    use crate::domain::time::zone::Zone;
    use crate::report::{Dimension, Period};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn compared(compare: &str, by: &str, since: &str, until: &str) -> (String, String) {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let period = Period { since: at(since), until: at(until) };
        let by = Dimension::parse_list(by).unwrap();
        let compare = Compare::parse(compare).unwrap();
        let period = compare.period(&by, period, &zone, at("2026-11-26T14:20:00Z")).unwrap();
        let period = period.unwrap();
        (zone.show(period.since)[..16].to_owned(), zone.show(period.until)[..16].to_owned())
    }

    #[test]
    fn an_unfinished_period_is_compared_with_as_many_hours() {
        let present = "2026-11-26T15:00:00Z";
        for (by, since, expected) in [
            // Seven days with today, eight weeks with this one, two months with this one.
            ("country,day", "2026-11-19T23:00:00Z", ("2026-11-13T00:00", "2026-11-19T16:00")),
            ("country,week", "2026-10-04T22:00:00Z", ("2026-08-10T00:00", "2026-10-01T16:00")),
            ("month", "2026-09-30T22:00:00Z", ("2026-08-01T00:00", "2026-09-26T16:00")),
            ("hour", "2026-11-26T03:00:00Z", ("2026-11-25T16:00", "2026-11-26T04:00")),
        ] {
            let (since, until) = compared("previous", by, since, present);
            assert_eq!((since.as_str(), until.as_str()), expected, "{by}");
        }
    }

    #[test]
    fn days_are_compared_with_the_same_weekdays_of_the_last_year() {
        let year = compared("year", "day", "2026-11-22T23:00:00Z", "2026-11-26T15:00:00Z");
        assert_eq!(year, ("2025-11-24T00:00".to_owned(), "2025-11-27T16:00".to_owned()));
        let year =
            compared("year", "country,month", "2026-09-30T22:00:00Z", "2026-11-01T00:00:00Z");
        assert_eq!(year, ("2025-10-01T00:00".to_owned(), "2025-11-01T01:00".to_owned()));
    }

    #[test]
    fn any_period_can_be_compared_with() {
        let with = compared(
            "2026-01-01..2026-02-01",
            "day",
            "2026-11-22T23:00:00Z",
            "2026-11-26T15:00:00Z",
        );
        assert_eq!(with, ("2026-01-01T00:00".to_owned(), "2026-02-01T00:00".to_owned()));
        assert!(Compare::parse("last").is_err());
    }
}
