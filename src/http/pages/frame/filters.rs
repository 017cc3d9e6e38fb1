//! Filters of templates: numbers, times and names as the pages show them. They return plain text, which the
//! template escapes.

#![allow(clippy::unnecessary_wraps, reason = "askama's filters return a result")]
#![allow(dead_code, reason = "no page uses all of them")]

use std::fmt::Display;
use std::time::Duration;

use askama::Values;

use crate::domain::{Status, Timestamp};
use crate::text::{self, printable};

/// The no-break space between a number and its unit.
const NBSP: char = '\u{a0}';

/// The sign of negative numbers.
const MINUS: char = '\u{2212}';

const SECOND_MICROS: i64 = 1_000_000;

/// A number that counts something.
pub trait Count {
    fn value(&self) -> i128;
}

macro_rules! counts {
    ($($number:ty)*) => {$(
        impl Count for $number {
            fn value(&self) -> i128 {
                *self as i128
            }
        }
    )*};
}

counts!(i32 i64 u32 u64 usize);

impl<T: Count + ?Sized> Count for &T {
    fn value(&self) -> i128 {
        (**self).value()
    }
}

/// A time.
pub trait Moment {
    fn value(&self) -> Timestamp;
}

impl Moment for Timestamp {
    fn value(&self) -> Timestamp {
        *self
    }
}

impl<T: Moment + ?Sized> Moment for &T {
    fn value(&self) -> Timestamp {
        (**self).value()
    }
}

/// A share of a whole; `None` if the whole is zero.
pub trait Share {
    fn value(&self) -> Option<f64>;
}

impl Share for f64 {
    fn value(&self) -> Option<f64> {
        Some(*self)
    }
}

impl Share for Option<f64> {
    fn value(&self) -> Option<f64> {
        *self
    }
}

impl<T: Share + ?Sized> Share for &T {
    fn value(&self) -> Option<f64> {
        (**self).value()
    }
}

/// A count with its digits in groups: `12,988`.
#[askama::filter_fn]
pub fn count(number: impl Count, _: &dyn Values) -> askama::Result<String> {
    Ok(count_of(number))
}

/// A count, outside of a template.
pub fn count_of(number: impl Count) -> String {
    grouped(number.value())
}

/// A difference of counts: `+248`, `−10` or `unchanged`.
#[askama::filter_fn]
pub fn change(number: impl Count, _: &dyn Values) -> askama::Result<String> {
    Ok(changed_of(number))
}

/// A difference of counts, outside of a template.
pub fn changed_of(number: impl Count) -> String {
    match number.value() {
        0 => "unchanged".to_owned(),
        number if number > 0 => format!("+{}", grouped(number)),
        number => grouped(number),
    }
}

/// A share as per cent: `95.1 %`; `-` if there is nothing to divide by.
#[askama::filter_fn]
pub fn rate(share: impl Share, _: &dyn Values) -> askama::Result<String> {
    Ok(rate_of(share))
}

/// A share as per cent, outside of a template.
pub fn rate_of(share: impl Share) -> String {
    share.value().map_or_else(|| "-".to_owned(), |share| format!("{:.1}{NBSP}%", share * 100.0))
}

/// A share as a coordinate of a chart: `95.13%`.
#[askama::filter_fn]
pub fn percent(share: impl Share, _: &dyn Values) -> askama::Result<String> {
    Ok(format!("{:.2}%", share.value().unwrap_or_default() * 100.0))
}

/// A number of milliseconds as a duration: `0.62 s`, `8.4 s`, `2.5 min`, `3.1 h`.
#[askama::filter_fn]
pub fn duration(milliseconds: impl Count, _: &dyn Values) -> askama::Result<String> {
    Ok(duration_of(milliseconds))
}

/// A duration, outside of a template.
pub fn duration_of(milliseconds: impl Count) -> String {
    match milliseconds.value() as f64 / 1000.0 {
        seconds if seconds < 1.0 => format!("{seconds:.2}{NBSP}s"),
        seconds if seconds < 60.0 => format!("{seconds:.1}{NBSP}s"),
        seconds if seconds < 3600.0 => format!("{:.1}{NBSP}min", seconds / 60.0),
        seconds => format!("{:.1}{NBSP}h", seconds / 3600.0),
    }
}

/// A number of bytes: `308 B`, `18.4 MB`, `61.3 GB`.
#[askama::filter_fn]
pub fn bytes(number: impl Count, _: &dyn Values) -> askama::Result<String> {
    let bytes = number.value() as f64;
    Ok(match number.value() {
        number if number < 1_000 => format!("{number}{NBSP}B"),
        number if number < 100_000 => format!("{:.1}{NBSP}kB", bytes / 1e3),
        number if number < 1_000_000_000 => format!("{:.1}{NBSP}MB", bytes / 1e6),
        _ => format!("{:.1}{NBSP}GB", bytes / 1e9),
    })
}

/// The time of day: `14:31:09`.
#[askama::filter_fn]
pub fn clock(time: impl Moment, _: &dyn Values) -> askama::Result<String> {
    Ok(written(time.value(), "%H:%M:%S"))
}

/// The milliseconds of a time, if order matters: `.092`.
#[askama::filter_fn]
pub fn fraction(time: impl Moment, _: &dyn Values) -> askama::Result<String> {
    Ok(format!(".{:03}", time.value().micros().rem_euclid(SECOND_MICROS) / 1000))
}

/// A time alone: `25 Nov 14:31:07`.
#[askama::filter_fn]
pub fn moment(time: impl Moment, _: &dyn Values) -> askama::Result<String> {
    Ok(moment_of(time.value()))
}

/// A time alone, outside of a template.
pub fn moment_of(time: Timestamp) -> String {
    written(time, "%-d %b %H:%M:%S")
}

/// A day: `Wednesday 25 November 2026`.
#[askama::filter_fn]
pub fn day(time: impl Moment, _: &dyn Values) -> askama::Result<String> {
    Ok(written(time.value(), "%A %-d %B %Y"))
}

/// An hour of the last days: `Tue 15:00`.
#[askama::filter_fn]
pub fn weekday_minute(time: impl Moment, _: &dyn Values) -> askama::Result<String> {
    Ok(written(time.value(), "%a %H:%M"))
}

/// An hour: `13:00`.
#[askama::filter_fn]
pub fn hour_minute(time: impl Moment, _: &dyn Values) -> askama::Result<String> {
    Ok(written(time.value(), "%H:%M"))
}

/// The beginning or the end of a period: `Tue 24 Nov 15:00`.
#[askama::filter_fn]
pub fn day_minute(time: impl Moment, _: &dyn Values) -> askama::Result<String> {
    Ok(written(time.value(), "%a %-d %b %H:%M"))
}

/// An hour of the last days, outside of a template: `Tue 15:00`.
pub fn weekday_minute_of(time: Timestamp) -> String {
    written(time, "%a %H:%M")
}

/// A difference of rates in points: `+0.6`, `−2.9` or `unchanged`.
#[askama::filter_fn]
pub fn signed(points: impl Share, _: &dyn Values) -> askama::Result<String> {
    Ok(points_of(points.value().unwrap_or_default()))
}

/// A difference of rates in points, outside of a template: `+0.6`, `−2.9` or `unchanged`.
pub fn points_of(points: f64) -> String {
    let sign = if points < 0.0 { MINUS } else { '+' };
    match format!("{:.1}", points.abs()) {
        same if same == "0.0" => "unchanged".to_owned(),
        points => format!("{sign}{points}"),
    }
}

/// A complete time for the footer: `2026-11-25 14:56:20`.
#[askama::filter_fn]
pub fn second(time: impl Moment, _: &dyn Values) -> askama::Result<String> {
    Ok(written(time.value(), "%Y-%m-%d %H:%M:%S"))
}

/// How long ago a time was: `25 min ago`.
#[askama::filter_fn]
pub fn ago<T: Moment>(time: impl Moment, _: &dyn Values, now: T) -> askama::Result<String> {
    let seconds = now.value().micros().saturating_sub(time.value().micros()).max(0) / SECOND_MICROS;
    let (number, unit) = match seconds {
        0..=99 => (seconds, "s"),
        100..=5_999 => (seconds / 60, "min"),
        6_000..=172_799 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    Ok(format!("{number}{NBSP}{unit} ago"))
}

/// A length of time in one unit: `38 s`.
#[askama::filter_fn]
pub fn in_words(time: &Duration, _: &dyn Values) -> askama::Result<String> {
    Ok(text::in_words(*time))
}

/// A SID that is not the subject: `SM2f9b…60f482`.
#[askama::filter_fn]
pub fn short_sid(sid: impl Display, _: &dyn Values) -> askama::Result<String> {
    const HEAD: usize = 6;
    const TAIL: usize = 6;
    let sid = sid.to_string();
    let letters: Vec<char> = sid.chars().collect();
    if letters.len() <= HEAD + TAIL + 1 {
        return Ok(sid);
    }
    let (head, tail) = (&letters[..HEAD], &letters[letters.len() - TAIL..]);
    Ok(head.iter().chain(&['…']).chain(tail).collect())
}

/// A text of a callback, with characters escaped that are invisible or change the direction of what follows.
#[askama::filter_fn]
pub fn plain(text: impl Display, _: &dyn Values) -> askama::Result<String> {
    Ok(printable(&text.to_string()).into_owned())
}

/// The class with the tone of a status, by its name.
#[askama::filter_fn]
pub fn tone(status: impl Display, _: &dyn Values) -> askama::Result<&'static str> {
    Ok(match Status::from_exact_name(&status.to_string()) {
        None => "none",
        Some(status) if status.is_failure() => "fail",
        Some(Status::Delivered | Status::Read) => "ok",
        Some(_) => "open",
    })
}

/// A status in words: `partially delivered`.
#[askama::filter_fn]
pub fn words(status: impl Display, _: &dyn Values) -> askama::Result<String> {
    Ok(status.to_string().replace('_', " "))
}

/// The last digits of a masked address; `None` if nothing of the text is masked.
#[askama::filter_fn]
pub fn masked_end(text: impl Display, _: &dyn Values) -> askama::Result<Option<String>> {
    let text = text.to_string();
    Ok(text.rsplit_once('*').map(|(_, end)| end.to_owned()))
}

fn grouped(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { MINUS.to_string() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in UTC. Only a damaged log has one that no calendar has.
fn written(time: Timestamp, format: &str) -> String {
    match jiff::Timestamp::from_microsecond(time.micros()) {
        Ok(time) => time.strftime(format).to_string(),
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use askama::{NO_VALUES, Template};

    use super::super::filters;
    use crate::domain::Timestamp;

    /// What a template shows of a value.
    macro_rules! shown {
        ($source:literal, $type:ty, $value:expr) => {{
            #[derive(Template)]
            #[template(ext = "html", source = $source)]
            struct Shown {
                value: $type,
            }
            Shown { value: $value }.render_with_values(NO_VALUES).unwrap()
        }};
    }

    #[test]
    fn numbers_have_groups_signs_and_units() {
        assert_eq!(shown!("{{ value|count }}", u64, 12_988), "12,988");
        assert_eq!(shown!("{{ value|count }}", u64, 999), "999");
        assert_eq!(shown!("{{ value|count }}", i64, 1_000_000), "1,000,000");
        assert_eq!(shown!("{{ value|change }}", i64, 248), "+248");
        assert_eq!(shown!("{{ value|change }}", i64, -1_210), "−1,210");
        assert_eq!(shown!("{{ value|change }}", i64, 0), "unchanged");
        assert_eq!(shown!("{{ value|signed }}", f64, -2.94), "−2.9");
        assert_eq!(shown!("{{ value|signed }}", f64, -0.04), "unchanged");
        assert_eq!(shown!("{{ value|rate }}", Option<f64>, Some(0.9514)), "95.1\u{a0}%");
        assert_eq!(shown!("{{ value|rate }}", Option<f64>, None), "-");
        assert_eq!(shown!("{{ value|bytes }}", u64, 308), "308\u{a0}B");
        assert_eq!(shown!("{{ value|bytes }}", u64, 18_400_000), "18.4\u{a0}MB");
        assert_eq!(shown!("{{ value|bytes }}", u64, 61_300_000_000), "61.3\u{a0}GB");
        assert_eq!(shown!("{{ value|duration }}", u64, 620), "0.62\u{a0}s");
        assert_eq!(shown!("{{ value|duration }}", u64, 8_400), "8.4\u{a0}s");
        assert_eq!(shown!("{{ value|duration }}", u64, 150_000), "2.5\u{a0}min");
    }

    #[test]
    fn times_are_written_in_utc() {
        let time = || Timestamp::parse("2026-11-25T14:31:07.092345Z").unwrap();
        assert_eq!(shown!("{{ value|clock }}", Timestamp, time()), "14:31:07");
        assert_eq!(shown!("{{ value|fraction }}", Timestamp, time()), ".092");
        assert_eq!(shown!("{{ value|moment }}", Timestamp, time()), "25 Nov 14:31:07");
        assert_eq!(shown!("{{ value|day }}", Timestamp, time()), "Wednesday 25 November 2026");
        let ago = |now: &str| {
            let now = Timestamp::parse(now).unwrap();
            shown!("{{ value.0|ago(value.1) }}", (Timestamp, Timestamp), (time(), now))
        };
        assert_eq!(ago("2026-11-25T14:32:31Z"), "83\u{a0}s ago");
        assert_eq!(ago("2026-11-25T14:56:20Z"), "25\u{a0}min ago");
        assert_eq!(ago("2026-11-25T18:31:07.092345Z"), "4\u{a0}h ago");
        assert_eq!(ago("2026-11-25T14:31:00Z"), "0\u{a0}s ago");
    }

    #[test]
    fn a_sid_that_is_not_the_subject_is_shortened() {
        let sid = "SM2f9b6c0e4d7a41f8b3c95e1a7d60f482";
        assert_eq!(shown!("{{ value|short_sid }}", &'static str, sid), "SM2f9b…60f482");
        assert_eq!(shown!("{{ value|short_sid }}", &'static str, "SM1"), "SM1");
    }
}
