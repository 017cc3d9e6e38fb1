//! The period of a report.

use jiff::Span;

use crate::domain::Timestamp;
use crate::domain::rollup::Hour;
use crate::domain::time::zone::Zone;
use crate::http::error::Problem;
use crate::http::pages::frame::range::ends;
use crate::report::{Dimension, Period};

const HOUR_MICROS: i64 = 3_600_000_000;

/// Without a beginning, a report is of this many days, weeks or months with the present one: what fits
/// the columns of a page.
const DAYS: i64 = 7;
const WEEKS: i64 = 8;
const MONTHS: i64 = 6;

/// The period between two times as they were written, extended to whole hours so that roll-ups count it.
pub fn period(
    by: &[Dimension],
    [since, until]: [&str; 2],
    now: Timestamp,
    zone: &Zone,
) -> Result<Period, Problem> {
    let written = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (since, until) = ends([written(since), written(until)], now, zone)?;
    let end_of_hour = Hour(Hour::from_timestamp(now).0 + 1).start();
    let until = until.map_or(end_of_hour, |until| whole_hour_after(until, zone));
    let since = match since {
        Some(since) => zone.start_of_hour(since),
        None => first_by_default(by, Timestamp::from_micros(until.micros() - 1), zone),
    };
    Ok(Period { since, until: until.max(since) })
}

/// The beginning of a period without one, that ends with this time: of eight weeks, six months, a day by hours,
/// or else seven days.
fn first_by_default(by: &[Dimension], last: Timestamp, zone: &Zone) -> Timestamp {
    let is_by = |wanted: &Dimension| by.contains(wanted);
    let today = zone.local(last).date();
    let first = if is_by(&Dimension::Month) {
        today.first_of_month().checked_sub(Span::new().months(MONTHS - 1))
    } else if is_by(&Dimension::Week) {
        let monday = i64::from(today.weekday().to_monday_zero_offset());
        today.checked_sub(Span::new().days(monday + 7 * (WEEKS - 1)))
    } else if is_by(&Dimension::Hour) {
        Ok(today)
    } else {
        today.checked_sub(Span::new().days(DAYS - 1))
    };
    zone.start_of_day(first.unwrap_or(today))
}

/// The full hour of a zone's clocks at a time, or next after it.
fn whole_hour_after(time: Timestamp, zone: &Zone) -> Timestamp {
    let hour = zone.start_of_hour(time);
    match hour == time {
        true => time,
        false => zone.start_of_hour(Timestamp::from_micros(hour.micros() + HOUR_MICROS)),
    }
}
