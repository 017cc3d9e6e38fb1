//! Time zones by their names in the IANA time zone database, which is part of the program, so that every
//! machine counts the same days.

use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::timestamp::Timestamp;
use crate::domain::similar::suggestion;

/// The seconds of an hour.
const HOUR_SECONDS: i32 = 3600;

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A name that is no time zone's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {}", name.escape_debug(), self.expected())]
pub struct UnknownZone {
    /// The name as it was given.
    pub name: String,
    similar: String,
}

impl UnknownZone {
    /// What was expected instead, with similar names.
    pub fn expected(&self) -> String {
        format!("a time zone, such as Europe/Berlin or UTC{}", self.similar)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// The zone with this name, whose letter case does not matter.
    ///
    /// ```
    /// use delivery_ledger::domain::time::zone::Zone;
    ///
    /// assert_eq!(Zone::parse("asia/kathmandu").unwrap().name(), "Asia/Kathmandu");
    /// let unknown = Zone::parse("Europe/Berlim").unwrap_err().to_string();
    /// assert!(unknown.contains("; similar: Europe/Berlin, "), "{unknown}");
    /// ```
    ///
    /// # Errors
    ///
    /// There is no such zone; the error suggests similar names.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        let database = TimeZoneDatabase::bundled();
        database.get(name).map(Self).map_err(|_| {
            let known: Vec<_> = Self::names().collect();
            let similar = suggestion(name, known.iter().map(String::as_str));
            UnknownZone { name: name.to_owned(), similar }
        })
    }

    /// The names of all zones, in order.
    pub fn names() -> impl Iterator<Item = String> {
        TimeZoneDatabase::bundled()
            .available()
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The zone's name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What clocks in the zone show at a time.
    pub fn local(&self, time: Timestamp) -> DateTime {
        self.0.to_datetime(to_jiff(time))
    }

    /// The time at which clocks in the zone show this. If they are set back and show it twice, it is the
    /// first time; if they are set forward over it, it is as long after the change as it is after the
    /// time that was skipped (RFC 5545, section 3.3.5).
    pub fn time(&self, local: DateTime) -> Timestamp {
        let found = self.0.to_timestamp(local);
        Timestamp::from_micros(found.map_or(i64::MAX, |time| time.as_microsecond()))
    }

    /// Midnight at the beginning of a day, or the moment at which clocks are set forward over it.
    pub fn start_of_day(&self, day: Date) -> Timestamp {
        self.time(day.at(0, 0, 0, 0))
    }

    /// The first moment at which clocks showed the hour of a time: its start, or the moment at which they
    /// were set to it. No other hour of the zone has the same one.
    pub fn start_of_hour(&self, time: Timestamp) -> Timestamp {
        let local = self.local(time);
        let seconds = i64::from(local.minute()) * 60 + i64::from(local.second());
        let passed = seconds * 1_000_000 + i64::from(local.subsec_nanosecond()) / 1000;
        let start = Timestamp::from_micros(time.micros().saturating_sub(passed));
        let offset = |time| self.0.to_offset(to_jiff(time));
        if offset(start) == offset(time) {
            return start;
        }
        let after = Timestamp::from_micros(time.micros().saturating_add(1));
        let change = self.0.preceding(to_jiff(after)).next();
        change.map_or(start, |at| Timestamp::from_micros(at.timestamp().as_microsecond()))
    }

    /// The hour of a time as clocks in the zone show it, with their offset: `2026-01-31T13:00:00+01:00`,
    /// or with `Z` in UTC.
    pub fn show_hour(&self, time: Timestamp) -> String {
        let local = self.local(time);
        let local = local.date().at(local.hour(), 0, 0, 0);
        format!("{local}{}", self.offset(time))
    }

    /// A time as clocks in the zone show it, with microseconds and their offset:
    /// `2026-01-31T13:00:03.250000+01:00`, or with `Z` in UTC.
    pub fn show(&self, time: Timestamp) -> String {
        match *self == Self::default() {
            true => time.to_string(),
            false => format!("{:.6}{}", self.local(time), self.offset(time)),
        }
    }

    /// The offset of the zone's clocks at a time as RFC 3339 writes it: `+01:00`, or `Z` in UTC.
    fn offset(&self, time: Timestamp) -> String {
        match self.0.to_offset(to_jiff(time)).seconds() {
            0 if *self == Self::default() => "Z".to_owned(),
            seconds => {
                let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
                format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }

    /// The last part of the zone's name: `Berlin`, `Buenos_Aires`, `UTC`.
    pub fn short_name(&self) -> &str {
        let name = self.name();
        name.rsplit_once('/').map_or(name, |(_, last)| last)
    }

    /// True if clocks in the zone differ from UTC by the same number of whole hours from one time to
    /// another.
    pub fn has_one_whole_offset(&self, from: Timestamp, to: Timestamp) -> bool {
        let (from, to) = (to_jiff(from), to_jiff(to));
        let changes = self.0.following(from).next().is_some_and(|change| change.timestamp() <= to);
        !changes && self.0.to_offset(from).seconds() % HOUR_SECONDS == 0
    }
}

/// A time beyond jiff's calendar becomes its end.
fn to_jiff(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(time.micros()).unwrap_or(match time.micros() < 0 {
        true => jiff::Timestamp::MIN,
        false => jiff::Timestamp::MAX,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::Zone;
    use crate::domain::Timestamp;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_day_begins_at_midnight_of_the_zone() {
        for (zone, day, begins) in [
            ("UTC", date(2026, 11, 25), "2026-11-25T00:00:00Z"),
            ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00:00Z"),
            ("Europe/Berlin", date(2026, 3, 30), "2026-03-29T22:00:00Z"),
            ("America/New_York", date(2026, 11, 2), "2026-11-02T05:00:00Z"),
            ("Asia/Kolkata", date(2026, 11, 25), "2026-11-24T18:30:00Z"),
            ("Asia/Kathmandu", date(2026, 11, 25), "2026-11-24T18:15:00Z"),
            ("Pacific/Chatham", date(2026, 11, 25), "2026-11-24T10:15:00Z"),
            // Clocks were set forward at midnight.
            ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00:00Z"),
        ] {
            let zone = Zone::parse(zone).unwrap();
            assert_eq!(zone.start_of_day(day), at(begins), "{} {day}", zone.name());
        }
    }

    #[test]
    fn a_time_that_clocks_skip_or_show_twice_is_defined() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let skipped = date(2026, 3, 29).at(2, 30, 0, 0);
        let twice = date(2026, 10, 25).at(2, 30, 0, 0);
        assert_eq!(berlin.time(skipped), at("2026-03-29T01:30:00Z"));
        assert_eq!(berlin.time(twice), at("2026-10-25T00:30:00Z"));
        assert_eq!(berlin.local(at("2026-10-25T01:30:00Z")), twice);
    }

    #[test]
    fn a_whole_offset_is_a_matter_of_the_period() {
        let whole = |zone: &str, from: &str, to: &str| {
            Zone::parse(zone).unwrap().has_one_whole_offset(at(from), at(to))
        };
        let day = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        assert!(whole("UTC", day.0, day.1));
        assert!(whole("Europe/Berlin", day.0, day.1));
        assert!(!whole("Asia/Kolkata", day.0, day.1));
        assert!(!whole("Pacific/Chatham", day.0, day.1));
        let change = ("2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z");
        assert!(!whole("Europe/Berlin", change.0, change.1));
        assert!(whole("Europe/Berlin", change.0, "2026-03-29T00:59:59.999999Z"));
        assert!(whole("Europe/Berlin", change.1, "2026-03-29T01:59:59.999999Z"));
        // Half an hour of daylight saving time.
        assert!(whole("Australia/Lord_Howe", day.0, day.1));
        assert!(!whole("Australia/Lord_Howe", "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"));
    }
}
