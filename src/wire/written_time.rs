//! Times as people write them: RFC 3339, a day or a local time, `yesterday`, or a length of time ago.

use std::borrow::Cow;

use jiff::civil;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, PrimitiveDateTime, Time};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::Timestamp;
use crate::domain::time::duration;
use crate::domain::time::zone::Zone;

/// A time as it was written. Which time it is depends on the present and on the time zone.
///
/// ```
/// use delivery_ledger::domain::Timestamp;
/// use delivery_ledger::domain::time::zone::Zone;
/// use delivery_ledger::wire::written_time::WrittenTime;
///
/// let now = Timestamp::parse("2026-11-25T09:30:00Z").unwrap();
/// let kathmandu = Zone::parse("Asia/Kathmandu").unwrap();
/// let time = |text| WrittenTime::parse(text).unwrap().time(now, &kathmandu).to_string();
/// assert_eq!(time("90m"), "2026-11-25T08:00:00.000000Z");
/// assert_eq!(time("today"), "2026-11-24T18:15:00.000000Z");
/// assert_eq!(time("2026-11-25 10:00"), "2026-11-25T04:15:00.000000Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenTime {
    /// Complete, with its offset from UTC.
    Exact(Timestamp),
    /// What clocks in the time zone show.
    Local(civil::DateTime),
    /// This many microseconds ago.
    Ago(i64),
    /// The beginning of this day.
    Today,
    /// The beginning of the day before.
    Yesterday,
}

/// What is expected where a time is given.
pub const EXPECTED: &str =
    "a time, such as 2026-01-31T12:00:00Z, 2026-01-31, 2026-01-31T12:00, yesterday or 24h (ago)";

/// The pattern of such times for the API's description. What has this form is a time; so are words in capitals,
/// the 29th of February and years of other millennia, which it leaves out.
const PATTERN: &str = "^(now|today|yesterday|0*[1-9][0-9]{0,8}[smhdw]( ago)?|\
    [12][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|\
    (0[13578]|1[02])-31)\
    ([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?\
    (Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?)?)$";

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

const LOCAL: &[BorrowedFormatItem<'_>] = format_description!(
    version = 2,
    "[year]-[month]-[day]T[hour]:[minute][optional [:[second][optional [.[subsecond]]]]]"
);

/// The length of a local time to the minute, `2026-11-25T10:00`, and of the day in it.
const MINUTE_BYTES: usize = 16;
const DAY_BYTES: usize = 10;

impl WrittenTime {
    /// Parses a time. `None` if it is none of:
    ///
    /// - RFC 3339, also without seconds or with a space for the `T`. A `+` before the offset may be a space,
    ///   which is what an unescaped one in a URL is read as.
    /// - A day, which is its midnight, or a local time to the minute, second or microsecond.
    /// - `now`, `today` or `yesterday` in any letter case; the last two are their midnights.
    /// - A length of time, see [`duration::parse`], with or without ` ago`. A day is 24 hours then.
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.to_ascii_lowercase();
        match word.as_str() {
            "now" => return Some(WrittenTime::Ago(0)),
            "today" => return Some(WrittenTime::Today),
            "yesterday" => return Some(WrittenTime::Yesterday),
            _ => {}
        }
        if let Ok(length) = duration::parse(word.strip_suffix(" ago").unwrap_or(&word)) {
            let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
            return Some(WrittenTime::Ago(micros));
        }
        if let Ok(day) = Date::parse(text, DAY) {
            return local(PrimitiveDateTime::new(day, Time::MIDNIGHT)).map(WrittenTime::Local);
        }
        let text = with_t(text);
        if let Ok(time) = PrimitiveDateTime::parse(&text, LOCAL) {
            return local(time).map(WrittenTime::Local);
        }
        exact(&text.replace(' ', "+")).map(WrittenTime::Exact)
    }

    /// The time, in this time zone. One that clocks skip or show twice is that of [`Zone::time`].
    pub fn time(self, now: Timestamp, zone: &Zone) -> Timestamp {
        let today = || zone.local(now).date();
        match self {
            WrittenTime::Exact(time) => time,
            WrittenTime::Local(time) => zone.time(time),
            WrittenTime::Ago(micros) => Timestamp::from_micros(now.micros().saturating_sub(micros)),
            WrittenTime::Today => zone.start_of_day(today()),
            // The calendar's first day has none before it.
            WrittenTime::Yesterday => {
                zone.start_of_day(today().yesterday().unwrap_or(civil::Date::MIN))
            }
        }
    }
}

impl ToSchema for WrittenTime {}

impl PartialSchema for WrittenTime {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(PATTERN)).into()
    }
}

/// The names of time zones, for the API's description.
pub struct ZoneName;

impl ToSchema for ZoneName {}

impl PartialSchema for ZoneName {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A time zone. Upper and lower case are the same."))
            .enum_values(Some(Zone::names()))
            .into()
    }
}

/// A day and a time of day with a `T` between them, if they have a space there.
fn with_t(text: &str) -> Cow<'_, str> {
    match text.split_at_checked(DAY_BYTES) {
        Some((day, time)) if time.starts_with(' ') => Cow::Owned(format!("{day}T{}", &time[1..])),
        _ => Cow::Borrowed(text),
    }
}

/// A time in RFC 3339, or the same without seconds.
fn exact(text: &str) -> Option<Timestamp> {
    let with_seconds = || {
        let (minute, offset) = text.split_at_checked(MINUTE_BYTES)?;
        Timestamp::parse(&format!("{minute}:00{offset}"))
    };
    Timestamp::parse(text).or_else(with_seconds)
}

fn local(time: PrimitiveDateTime) -> Option<civil::DateTime> {
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second, nano) = time.as_hms_nano();
    let [month, day, hour, minute, second] =
        [u8::from(month), day, hour, minute, second].map(u8::cast_signed);
    let (year, nano) = (year.try_into().ok()?, nano.try_into().ok()?);
    civil::DateTime::new(year, month, day, hour, minute, second, nano).ok()
}

#[cfg(test)]
mod tests {
    use super::WrittenTime;
    use crate::domain::Timestamp;
    use crate::domain::time::zone::Zone;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// The time that is meant at a time in a zone.
    fn meant(text: &str, now: &str, zone: &str) -> Timestamp {
        let written = WrittenTime::parse(text).unwrap_or_else(|| panic!("{text} is no time"));
        written.time(at(now), &Zone::parse(zone).unwrap())
    }

    #[test]
    fn every_spelling_is_understood() {
        for (text, time) in [
            ("2026-11-25T10:00:00Z", "2026-11-25T10:00:00Z"),
            ("2026-11-25T10:00:00.123456+05:45", "2026-11-25T04:15:00.123456Z"),
            ("2026-11-25T10:00:00 01:00", "2026-11-25T09:00:00Z"),
            ("2026-11-25 10:00:00+01:00", "2026-11-25T09:00:00Z"),
            ("2026-11-25 10:00:00 01:00", "2026-11-25T09:00:00Z"),
            ("2026-11-25 10:00:00-01:00", "2026-11-25T11:00:00Z"),
            ("2026-11-25T10:00Z", "2026-11-25T10:00:00Z"),
            ("2026-11-25 10:00+01:00", "2026-11-25T09:00:00Z"),
            ("2026-11-25", "2026-11-25T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2026-11-25T10:00", "2026-11-25T10:00:00Z"),
            ("2026-11-25 10:00", "2026-11-25T10:00:00Z"),
            ("2026-11-25T10:00:01", "2026-11-25T10:00:01Z"),
            ("2026-11-25 10:00:01.25", "2026-11-25T10:00:01.25Z"),
            ("now", "2026-11-25T09:30:00Z"),
            ("today", "2026-11-25T00:00:00Z"),
            ("Yesterday", "2026-11-24T00:00:00Z"),
            ("90m", "2026-11-25T08:00:00Z"),
            ("24h", "2026-11-24T09:30:00Z"),
            ("24H ago", "2026-11-24T09:30:00Z"),
            ("7d", "2026-11-18T09:30:00Z"),
            ("2w", "2026-11-11T09:30:00Z"),
        ] {
            assert_eq!(meant(text, "2026-11-25T09:30:00Z", "UTC"), at(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_rejected() {
        for text in [
            "",
            " ",
            "24",
            "0h",
            "-1h",
            "h",
            "1y",
            "3 months ago",
            "ago",
            "tomorrow",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-02-29",
            "26-11-25",
            "25.11.2026",
            "2026-11-25T",
            "2026-11-25T10",
            "2026-11-25T24:00",
            "2026-11-25T10:60",
            "2026-11-25  10:00",
            "2026-11-25T10:00+1",
            "2026-11-25T10:00 Europe/Berlin",
            "2026-11-25T10:00é",
            "10:00",
            "99999999999d",
        ] {
            assert_eq!(WrittenTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_and_local_times_are_those_of_the_zone() {
        let now = "2026-11-24T19:00:00Z";
        for (text, zone, time) in [
            ("today", "Asia/Kolkata", "2026-11-24T18:30:00Z"),
            ("yesterday", "Asia/Kolkata", "2026-11-23T18:30:00Z"),
            ("2026-11-25T10:00", "Asia/Kolkata", "2026-11-25T04:30:00Z"),
            ("today", "Asia/Kathmandu", "2026-11-24T18:15:00Z"),
            ("2026-11-25", "Asia/Kathmandu", "2026-11-24T18:15:00Z"),
            ("2026-11-25 10:00", "Asia/Kathmandu", "2026-11-25T04:15:00Z"),
            // In summer it is 13 hours and 45 minutes ahead, in winter an hour less.
            ("today", "Pacific/Chatham", "2026-11-24T10:15:00Z"),
            ("2026-11-25T10:00", "Pacific/Chatham", "2026-11-24T20:15:00Z"),
            ("2026-07-01", "Pacific/Chatham", "2026-06-30T11:15:00Z"),
            ("today", "America/New_York", "2026-11-24T05:00:00Z"),
            // These do not depend on the zone.
            ("24h", "Pacific/Chatham", "2026-11-23T19:00:00Z"),
            ("2026-11-25T10:00:00Z", "Pacific/Chatham", "2026-11-25T10:00:00Z"),
        ] {
            assert_eq!(meant(text, now, zone), at(time), "{text} in {zone}");
        }
    }

    #[test]
    fn a_day_on_which_clocks_change_has_23_or_25_hours_but_a_day_ago_is_24_hours_ago() {
        for (now, today, yesterday, day_ago) in [
            // Clocks were set forward at 01:00 UTC on 29 March.
            (
                "2026-03-30T10:00:00Z",
                "2026-03-29T22:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T10:00:00Z",
            ),
            // Clocks were set back at 01:00 UTC on 25 October.
            (
                "2026-10-26T10:00:00Z",
                "2026-10-25T23:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T10:00:00Z",
            ),
        ] {
            let meant = |text| meant(text, now, "Europe/Berlin");
            assert_eq!(meant("today"), at(today));
            assert_eq!(meant("yesterday"), at(yesterday));
            assert_eq!(meant("1d"), at(day_ago));
        }
    }

    #[test]
    fn a_local_time_that_clocks_skip_or_show_twice_is_defined() {
        let now = "2026-11-25T00:00:00Z";
        for (text, zone, time) in [
            // 02:30 does not exist; it is read as 03:30.
            ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"),
            ("2026-03-29T03:30", "Europe/Berlin", "2026-03-29T01:30:00Z"),
            // 02:30 is shown twice; the first time is meant.
            ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"),
            ("2026-10-25T02:30:00+01:00", "Europe/Berlin", "2026-10-25T01:30:00Z"),
            ("2026-09-27T03:00", "Pacific/Chatham", "2026-09-26T14:15:00Z"),
            ("2026-04-05T03:00", "Pacific/Chatham", "2026-04-04T13:15:00Z"),
        ] {
            assert_eq!(meant(text, now, zone), at(time), "{text} in {zone}");
        }
    }
}
