//! Numbers for people, and words for shells.

use crate::domain::{Position, event};
pub use crate::text::number;

/// Parses a position, with or without commas: `51522` or `51,522`.
pub fn position(text: &str) -> Result<Position, String> {
    event::parse_position(text)
        .ok_or_else(|| "it is not a position, such as 42 or 51,522".to_owned())
}

/// A word as a shell reads it.
pub fn shell_quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
