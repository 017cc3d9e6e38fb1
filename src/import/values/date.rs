//! Dates as Twilio and its tools write them. All have a year of four digits and a month that cannot
//! be taken for a day.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{Date, Time};

use super::is_digits;

/// The Console's lists: `14:23:05 UTC 2022-09-01`.
const CONSOLE: &[BorrowedFormatItem<'_>] =
    format_description!("[hour]:[minute]:[second] UTC [year]-[month]-[day]");

/// JavaScript's, as in the TSV of Twilio's command line: `Aug 24 2023 05:01:45`.
const JAVASCRIPT: &[BorrowedFormatItem<'_>] =
    format_description!("[month repr:short] [day padding:none] [year] [hour]:[minute]:[second]");

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const TO_THE_SECOND: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second]");
const TO_THE_MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]");

/// Says why a date is damaged.
pub fn check(text: &str) -> Result<(), String> {
    let is_known = OffsetDateTime::parse(text, &Rfc2822).is_ok()
        || is_iso(text)
        || is_javascript(text)
        || time::PrimitiveDateTime::parse(text, CONSOLE).is_ok();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b".,eE+-".contains(&byte));
    match () {
        _ if is_known => Ok(()),
        _ if is_number => Err("a spreadsheet made a number of a date".to_owned()),
        _ => {
            Err("it is no date as Twilio writes it (RFC 2822 or ISO 8601): a spreadsheet may have \
                  written it its own way"
                .to_owned())
        }
    }
}

/// `2023-08-24`, with or without a time, a part of a second and a zone.
fn is_iso(text: &str) -> bool {
    let Some((day, time)) = text.split_at_checked(10) else { return false };
    if Date::parse(day, DAY).is_err() {
        return false;
    }
    let Some(time) = time.strip_prefix(['T', 't', ' ']) else { return time.is_empty() };
    let zone_at = time.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.'));
    let (time, zone) = time.split_at(zone_at.unwrap_or(time.len()));
    let (time, part) = time.split_once('.').unwrap_or((time, "0"));
    let is_time =
        Time::parse(time, TO_THE_SECOND).is_ok() || Time::parse(time, TO_THE_MINUTE).is_ok();
    is_time && is_digits(part) && is_zone(zone.trim_start())
}

fn is_zone(text: &str) -> bool {
    let offset = text.strip_prefix(['+', '-']).map(|digits| digits.replace(':', ""));
    let is_offset =
        offset.is_some_and(|digits| is_digits(&digits) && [2, 4].contains(&digits.len()));
    is_offset || ["", "Z", "z", "UTC", "GMT"].contains(&text)
}

/// With or without the weekday, and a zone behind it that is not read.
fn is_javascript(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let is_date =
        |words: &[&str]| time::PrimitiveDateTime::parse(&words.join(" "), JAVASCRIPT).is_ok();
    let (dated, zone) = match words.iter().position(|word| word.starts_with("GMT")) {
        Some(at) => words.split_at(at),
        None => return false,
    };
    !zone.is_empty() && (is_date(dated) || dated.len() > 1 && is_date(&dated[1..]))
}
