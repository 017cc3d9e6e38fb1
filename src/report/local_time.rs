//! Times in the zone of a report, as numbers that rows are counted by.

use jiff::civil::Date;

use crate::domain::Timestamp;
use crate::domain::rollup::Hour;
use crate::domain::time::zone::Zone;

/// Microseconds of a second and of an hour.
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

/// 1970-01-01 was a Thursday, three days after a Monday.
const EPOCH_WEEKDAY: i64 = 3;

/// A time in a zone, to the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalTime {
    /// The number of days since 1970-01-01.
    pub day: i64,
    pub hour_of_day: i8,
    /// When the hour began that clocks showed, in seconds since 1970 began (UTC); see
    /// [`Zone::start_of_hour`].
    pub hour_starts_at: i64,
    year: i16,
    month_of_year: i8,
}

impl LocalTime {
    /// A time in a zone.
    pub fn new(zone: &Zone, time: Timestamp) -> Self {
        let local = zone.local(time);
        let date = local.date();
        Self {
            day: day_of(date),
            hour_of_day: local.hour(),
            hour_starts_at: zone.start_of_hour(time).micros().div_euclid(SECOND),
            year: date.year(),
            month_of_year: date.month(),
        }
    }

    /// The number of weeks since the one of 1970-01-01.
    pub fn week(self) -> i64 {
        (self.day + EPOCH_WEEKDAY).div_euclid(7)
    }

    /// The number of months since year 0 began.
    pub fn month(self) -> i64 {
        i64::from(self.year) * 12 + i64::from(self.month_of_year) - 1
    }

    /// 0 for Monday to 6 for Sunday.
    pub fn weekday(self) -> i64 {
        (self.day + EPOCH_WEEKDAY).rem_euclid(7)
    }

    /// The date of a day's number; `None` if no calendar has it.
    pub fn date_of(day: i64) -> Option<Date> {
        let days = i32::try_from(day).ok()?;
        Date::new(1970, 1, 1).ok()?.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
    }

    /// The number of a week's Monday.
    pub fn first_day_of_week(week: i64) -> i64 {
        week * 7 - EPOCH_WEEKDAY
    }
}

/// The number of a date's day.
pub fn day_of(date: Date) -> i64 {
    let since = Date::constant(1970, 1, 1).duration_until(date);
    since.as_hours() / 24
}

/// Times in a zone, of which many are in the same hour.
pub struct LocalTimes<'z> {
    zone: &'z Zone,
    last: Option<(Hour, Option<LocalTime>)>,
}

impl<'z> LocalTimes<'z> {
    /// Times in this zone.
    pub fn new(zone: &'z Zone) -> Self {
        Self { zone, last: None }
    }

    /// The local hour of all times in an hour of UTC; `None` if they are in two hours of the zone.
    pub fn of_hour(&mut self, hour: Hour) -> Option<LocalTime> {
        match self.last {
            Some((last, local)) if last == hour => local,
            _ => {
                let starts_at = hour.start();
                let last_moment =
                    Timestamp::from_micros(starts_at.micros().saturating_add(HOUR - 1));
                let is_one = self.zone.has_one_whole_offset(starts_at, last_moment);
                let local = is_one.then(|| LocalTime::new(self.zone, starts_at));
                self.last = Some((hour, local));
                local
            }
        }
    }

    /// The local time of a message's first event.
    pub fn of_time(&mut self, time: Timestamp) -> LocalTime {
        let of_hour = self.of_hour(Hour::from_timestamp(time));
        of_hour.unwrap_or_else(|| LocalTime::new(self.zone, time))
    }
}
