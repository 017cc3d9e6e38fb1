//! One cell of a table: its full form, its short form if it has one, and its style.

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use crate::cli::common::palette;
use crate::cli::common::styled::PLAIN;
use crate::cli::common::text::number;
use crate::domain::{Effect, Status, Timestamp};
use crate::text::printable;

/// Longer texts have a short form: SIDs, which are recognised by their begin and end.
const SHORT_SID_CHARS: usize = 9;
const SID_END_CHARS: usize = 4;

/// The length of numbers in most countries, with `+` and calling code.
const SHORT_ADDRESS_CHARS: usize = 14;

/// A cell. Control characters in its texts are escaped.
#[derive(Debug, Clone)]
pub struct Cell {
    full: String,
    short: Option<String>,
    style: Style,
}

impl Cell {
    /// A text, with no short form and no style.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self { full: printable(text.as_ref()).into_owned(), short: None, style: PLAIN }
    }

    /// A number with commas between its thousands.
    pub fn number(count: u64) -> Self {
        Self::text(number(count))
    }

    /// A time in UTC: `2026-11-25T10:00:03.250000Z`, or `11-25 10:00:03`.
    pub fn time(at: Timestamp) -> Self {
        let full = at.to_string();
        // A time that has no date, after damage, has no short form either.
        match (full.get(5..10), full.get(11..19)) {
            (Some(day), Some(time)) if full.ends_with('Z') => {
                Self::text(&full).short(format!("{day} {time}"))
            }
            _ => Self::text(full),
        }
    }

    /// A SID: `SM0123456789abcdef0123456789abcdef`, or `SM01…cdef`.
    pub fn sid(sid: impl AsRef<str>) -> Self {
        let cell = Self::text(sid);
        let chars: Vec<char> = cell.full.chars().collect();
        if chars.len() <= SHORT_SID_CHARS {
            return cell;
        }
        let begin = &chars[..SHORT_SID_CHARS - SID_END_CHARS - 1];
        let short = begin.iter().chain(&['…']).chain(&chars[chars.len() - SID_END_CHARS..]);
        let short: String = short.collect();
        cell.short(short)
    }

    /// An address: `whatsapp:+15558675310`, or its end, by which it is recognised: `…+15558675310`.
    pub fn address(address: impl AsRef<str>) -> Self {
        let cell = Self::text(address);
        let length = cell.full.chars().count();
        if length <= SHORT_ADDRESS_CHARS {
            return cell;
        }
        let end = cell.full.chars().skip(length + 1 - SHORT_ADDRESS_CHARS);
        let end: String = end.collect();
        cell.short(format!("…{}", end.trim_start_matches(':')))
    }

    /// A status in its colour, or another word that a message reported as its status.
    pub fn status(word: impl AsRef<str>) -> Self {
        let cell = Self::text(&word).style(palette::status(word.as_ref()));
        // The only one that is longer than two others together.
        match Status::parse(word.as_ref()) {
            Some(Status::PartiallyDelivered) => cell.short("partially"),
            _ => cell,
        }
    }

    /// An effect in its colour.
    pub fn effect(effect: Effect) -> Self {
        Self::text(effect.name()).style(palette::effect(effect))
    }

    /// This cell with another short form.
    pub fn short(self, short: impl AsRef<str>) -> Self {
        Self { short: Some(printable(short.as_ref()).into_owned()), ..self }
    }

    /// This cell in another style.
    pub fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// The text of this form.
    pub(super) fn form(&self, is_short: bool) -> &str {
        self.short.as_deref().filter(|_| is_short).unwrap_or(&self.full)
    }

    /// The width of this form on a terminal.
    pub(super) fn width(&self, is_short: bool) -> usize {
        self.form(is_short).width()
    }

    pub(super) fn styled(&self) -> Style {
        self.style
    }
}
