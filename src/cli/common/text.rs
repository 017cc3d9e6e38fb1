//! Numbers for people.

use crate::domain::{Position, event};
pub use crate::text::number;

/// Parses a position, with or without commas: `51522` or `51,522`.
pub fn position(text: &str) -> Result<Position, String> {
    event::parse_position(text)
        .ok_or_else(|| "it is not a position, such as 42 or 51,522".to_owned())
}
