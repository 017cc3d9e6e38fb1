//! Checks dates, in the notations of Twilio and its tools.
//! All of them have a four-digit year and a month that cannot be confused with a day.

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use super::is_digits;
use crate::domain::Timestamp;

/// The Console's lists: `14:23:05 UTC 2022-09-01`.
const CONSOLE: &[BorrowedFormatItem<'_>] =
    format_description!("[hour]:[minute]:[second] UTC [year]-[month]-[day]");

/// JavaScript's, as in the TSV of Twilio's command line: `Aug 24 2023 05:01:45`.
const JAVASCRIPT: &[BorrowedFormatItem<'_>] =
    format_description!("[month repr:short] [day padding:none] [year] [hour]:[minute]:[second]");

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const TO_THE_SECOND: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second]");
const TO_THE_MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]");

/// Twilio began in 2008: 2008-01-01T00:00:00Z in microseconds.
const EARLIEST_MICROS: i64 = 1_199_145_600_000_000;

/// The time by which another machine's clock may be ahead: a day, because its time zone may be wrong.
const AHEAD_MICROS_MAX: i64 = 24 * 3600 * 1_000_000;

/// Checks a date; the error is the reason it is damaged.
pub fn check(text: &str, now: Timestamp) -> Result<(), String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b".,eE+-".contains(&byte));
    match parse(text) {
        Some(date) => check_range(Timestamp::from(date), now).map_err(str::to_owned),
        None if is_number => Err("a spreadsheet made a number of a date".to_owned()),
        None => {
            Err("it is no date as Twilio writes it (RFC 2822 or ISO 8601): a spreadsheet may have \
                  written it its own way"
                .to_owned())
        }
    }
}

/// Checks that a time is plausible; the error is the reason it is not.
pub fn check_range(at: Timestamp, now: Timestamp) -> Result<(), &'static str> {
    match at.micros() {
        micros if micros < EARLIEST_MICROS => Err("Twilio sent nothing before 2008"),
        micros if micros > now.micros().saturating_add(AHEAD_MICROS_MAX) => {
            Err("it is more than a day in the future")
        }
        _ => Ok(()),
    }
}

fn parse(text: &str) -> Option<OffsetDateTime> {
    let console =
        || PrimitiveDateTime::parse(text, CONSOLE).ok().map(PrimitiveDateTime::assume_utc);
    let rfc_2822 = OffsetDateTime::parse(text, &Rfc2822).ok();
    rfc_2822.or_else(|| iso(text)).or_else(|| javascript(text)).or_else(console)
}

/// `2023-08-24`, with or without a time, a part of a second and a zone; without a zone it is UTC.
fn iso(text: &str) -> Option<OffsetDateTime> {
    let (day, time) = text.split_at_checked(10)?;
    let day = Date::parse(day, DAY).ok()?;
    if time.is_empty() {
        return Some(day.midnight().assume_utc());
    }
    let time = time.strip_prefix(['T', 't', ' '])?;
    let zone_at = time.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.'));
    let (time, zone) = time.split_at(zone_at.unwrap_or(time.len()));
    let (time, part) = time.split_once('.').unwrap_or((time, "0"));
    let time = Time::parse(time, TO_THE_SECOND).or_else(|_| Time::parse(time, TO_THE_MINUTE));
    let at = is_digits(part).then_some(day.with_time(time.ok()?))?;
    Some(at.assume_offset(offset(zone.trim_start())?))
}

fn offset(zone: &str) -> Option<UtcOffset> {
    if ["", "Z", "z", "UTC", "GMT"].contains(&zone) {
        return Some(UtcOffset::UTC);
    }
    let digits = zone.strip_prefix(['+', '-'])?.replace(':', "");
    let number = |digits: &str| digits.parse::<i8>().ok().filter(|_| is_digits(digits));
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        _ => return None,
    };
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

/// With or without a weekday before and a time zone after it, which are ignored.
fn javascript(text: &str) -> Option<OffsetDateTime> {
    let words: Vec<&str> = text.split(' ').collect();
    let at = words.iter().position(|word| word.starts_with("GMT"))?;
    let parse = |words: &[&str]| PrimitiveDateTime::parse(&words.join(" "), JAVASCRIPT).ok();
    let date = parse(&words[..at]).or_else(|| parse(words[..at].get(1..)?))?;
    Some(date.assume_utc())
}
