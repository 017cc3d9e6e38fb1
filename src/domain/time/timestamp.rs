//! A point in time in UTC with microsecond precision, and its text form.

use std::fmt;

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

const SIX_DIGITS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

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
