//! The colours of statuses and effects. They only repeat what the words say, so nothing is lost without
//! them. Only the sixteen colours of every terminal are used, whose shades its user has chosen.

use anstyle::{AnsiColor, Style};

use super::styled::PLAIN;
use crate::domain::{Effect, Status};

/// As it should be: delivered, ok.
pub const GOOD: Style = AnsiColor::Green.on_default();

/// Wrong: failed, contradictory.
pub const BAD: Style = AnsiColor::Red.on_default();

/// Unusual, perhaps wrong: late, a warning.
pub const ODD: Style = AnsiColor::Yellow.on_default();

const CALM: Style = Style::new().dimmed();

/// The headings of a table.
pub const HEADING: Style = Style::new().bold();

/// A status as Twilio spells it: green if the message was delivered, red for a failure, and yellow for a
/// word that is no status of an outbound message, such as `unknown`.
pub fn status(word: &str) -> Style {
    match Status::parse(word) {
        Some(status) if status.is_failure() => BAD,
        Some(status) if status.is_success() => GOOD,
        Some(_) => PLAIN,
        None if word == "-" => PLAIN,
        None => ODD,
    }
}

/// The effect of an event: what contradicts is red, what is unusual yellow, what adds nothing dimmed.
pub fn effect(effect: Effect) -> Style {
    match effect {
        Effect::Conflict => BAD,
        Effect::Late | Effect::Unrecognised => ODD,
        Effect::Duplicate(_) | Effect::Confirmed => CALM,
        Effect::Advanced | Effect::Click | Effect::Feedback => PLAIN,
    }
}
