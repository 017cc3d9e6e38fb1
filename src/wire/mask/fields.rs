//! Masks single fields outside of a message or an event.

use super::known_forms::Form;
use super::text::{self, Known, Rule};

/// Masks a SID that is not of Twilio's form and could be a number.
pub fn sid(sid: &str) -> String {
    text::masked(sid, Rule::Fixed(Form::Sid), &Known::default())
}

/// Masks the value of a filter with this name.
pub fn filter(name: &str, value: &str) -> String {
    match name {
        "from" | "to" => super::address(value),
        _ => super::text(value),
    }
}
