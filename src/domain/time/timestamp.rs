//! A point in time in UTC with microsecond precision, and its text form.

use std::fmt;
use std::ops::RangeInclusive;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// Microseconds since 1970-01-01T00:00:00Z.
///
/// Displayed as RFC 3339 with six fractional digits and `Z`, so that the texts sort by time.
///
/// ```
/// use delivery_ledger::domain::Timestamp;
///
/// assert_eq!(Timestamp::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
/// assert_eq!(Timestamp::parse("1970-01-01T01:00:01.5+01:00").unwrap().micros(), 1_500_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The form of a time whose year RFC 3339 cannot express.
const SIX_DIGITS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// The years 0 to 9999, which RFC 3339 can express.
const WRITABLE_MICROS: RangeInclusive<i64> = -62_167_219_200_000_000..=253_402_300_799_999_999;

/// The seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// The days of 400 years, after which the calendar repeats itself, and those from 0000-03-01 to 1970-01-01.
const ERA_DAYS: i64 = 146_097;
const DAYS_TO_1970: i64 = 719_468;

impl Timestamp {
    /// The earliest plausible time of a message: Twilio was founded in 2008. Spreadsheets produce dates such
    /// as 1900.
    pub const EARLIEST_OF_TWILIO: Timestamp = Timestamp(1_199_145_600_000_000);

    /// Creates a timestamp from microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// True if the year is one of 0 to 9999, which RFC 3339 can express.
    pub fn has_rfc3339(self) -> bool {
        WRITABLE_MICROS.contains(&self.0)
    }

    /// The text in RFC 3339, as it is displayed, if there is one. It is several times as fast as `to_string`,
    /// for exports, which write ten times a message.
    pub fn rfc3339(self) -> Option<[u8; 27]> {
        if !self.has_rfc3339() {
            return None;
        }
        let (seconds, micros) = (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000));
        let [year, month, day] = date_of(seconds.div_euclid(DAY_SECONDS));
        let (second, micros) = (seconds.rem_euclid(DAY_SECONDS) as u32, micros as u32);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        for (place, number) in [
            (0, year / 100),
            (2, year % 100),
            (5, month),
            (8, day),
            (11, second / 3600),
            (14, second / 60 % 60),
            (17, second % 60),
            (20, micros / 10_000),
            (22, micros / 100 % 100),
            (24, micros % 100),
        ] {
            text[place] = b'0' + (number / 10) as u8;
            text[place + 1] = b'0' + (number % 10) as u8;
        }
        Some(text)
    }

    /// Parses RFC 3339; digits beyond microseconds are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339).ok().map(Self::from)
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Self {
        let micros = moment.unix_timestamp_nanos().div_euclid(1_000);
        Self(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.rfc3339() {
            return f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?);
        }
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .map_err(|_| fmt::Error)
            .and_then(|moment| moment.format(SIX_DIGITS).map_err(|_| fmt::Error));
        match moment {
            Ok(text) => f.write_str(&text),
            // RFC 3339 cannot express the year. Only a damaged log contains such a value.
            Err(_) => write!(f, "{} microseconds since 1970", self.0),
        }
    }
}

/// The year, month and day of a day that is counted from 1970-01-01. Years begin in March here, so that a leap
/// day is the last of its year (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn date_of(day: i64) -> [u32; 3] {
    let day = day + DAYS_TO_1970;
    let (era, day) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year + era * 400 + i64::from(month <= 2);
    [year, month, day_of_month].map(|number| number as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;

    use super::{SIX_DIGITS, Timestamp, WRITABLE_MICROS};

    /// What the `time` crate writes.
    fn expected(micros: i64) -> String {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
        moment.unwrap().format(SIX_DIGITS).unwrap()
    }

    const FIRST: i64 = *WRITABLE_MICROS.start();
    const LAST: i64 = *WRITABLE_MICROS.end();

    proptest! {
        #[test]
        fn a_time_is_written_as_the_time_crate_writes_it(micros in FIRST..=LAST) {
            prop_assert_eq!(Timestamp::from_micros(micros).to_string(), expected(micros));
        }

        #[test]
        fn only_what_rfc_3339_can_express_is_parsed_again(micros: i64) {
            let time = Timestamp::from_micros(micros);
            let parsed = Timestamp::parse(&time.to_string());
            prop_assert_eq!(parsed, Some(time).filter(|time| time.has_rfc3339()));
        }
    }

    #[test]
    fn every_day_of_400_years_is_written_as_the_time_crate_writes_it() {
        for day in 0..146_097 {
            let micros = (day - 100_000) * 86_400_000_000;
            assert_eq!(Timestamp::from_micros(micros).to_string(), expected(micros));
        }
        for micros in [FIRST, -1, 0, LAST] {
            assert_eq!(Timestamp::from_micros(micros).to_string(), expected(micros));
        }
    }
}
