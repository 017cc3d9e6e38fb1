//! One cell of a table: its full form, its short form if it has one, and its style.

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use crate::cli::common::terminal::palette;
use crate::cli::common::terminal::styled::PLAIN;
use crate::cli::common::text::number;
use crate::domain::time::zone::Zone;
use crate::domain::{Effect, Status, Timestamp};
use crate::text::printable;

/// Longer texts have a short form: SIDs, which are recognised by their begin and end.
const SHORT_SID_CHARS: usize = 9;
const SID_END_CHARS: usize = 4;

/// A number of twelve digits with `+` and the longest of the short channels.
const SHORT_ADDRESS_CHARS: usize = 17;

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

    /// A time in this zone: `2026-11-25T10:00:03.250000Z`, `2026-11-25T11:00:03.250000+01:00`, or
    /// `11-25 10:00:03`.
    pub fn time(at: Timestamp, zone: &Zone) -> Self {
        let full = zone.show(at);
        // A time that has no date, after damage, has no short form either.
        match (full.get(5..10), full.get(11..19)) {
            (Some(day), Some(time)) if full.as_bytes()[10] == b'T' => {
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

    /// An address: `whatsapp:+15558675310`, or with a short channel and its end: `wa:+15558675310`.
    pub fn address(address: impl AsRef<str>) -> Self {
        let cell = Self::text(address);
        let (channel, rest) = match cell.full.split_once(':') {
            Some(("whatsapp", rest)) => ("wa:", rest),
            Some(("messenger", rest)) => ("fb:", rest),
            Some(("rcs", rest)) => ("rcs:", rest),
            _ => ("", cell.full.as_str()),
        };
        let room = SHORT_ADDRESS_CHARS - channel.len();
        let short = match rest.chars().count() {
            length if length > room => {
                let end: String = rest.chars().skip(length + 1 - room).collect();
                format!("{channel}…{end}")
            }
            _ => format!("{channel}{rest}"),
        };
        cell.short(short)
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

#[cfg(test)]
mod tests {
    use super::Cell;

    #[test]
    fn a_short_address_keeps_its_channel_and_its_end() {
        for (address, short) in [
            ("+15558675310", "+15558675310"),
            ("whatsapp:+15558675310", "wa:+15558675310"),
            ("rcs:+15558675310", "rcs:+15558675310"),
            ("rcs:a_brand_with_a_long_name_agent", "rcs:…g_name_agent"),
            ("messenger:1234567890123456", "fb:…4567890123456"),
            ("ACME", "ACME"),
        ] {
            assert_eq!(Cell::address(address).form(true), short);
            assert_eq!(Cell::address(address).form(false), address);
        }
    }
}
