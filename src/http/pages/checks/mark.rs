//! The mark of an outcome: its tone, its glyph and a word.

use crate::checks::finding::Outcome;

/// A mark.
pub struct Mark {
    /// The class with the tone.
    pub tone: &'static str,
    /// The symbol of the sprite.
    pub glyph: &'static str,
    pub text: String,
}

impl Mark {
    /// The mark of an outcome with its own name.
    pub fn new(outcome: Outcome) -> Self {
        Self::with_text(outcome, outcome.name())
    }

    /// The mark of an outcome with this text.
    pub fn with_text(outcome: Outcome, text: impl Into<String>) -> Self {
        let (tone, glyph) = match outcome {
            Outcome::Ok => ("ok", "s-delivered"),
            Outcome::Warn => ("late", "h-warn"),
            Outcome::Fail => ("fail", "s-failed"),
        };
        Self { tone, glyph, text: text.into() }
    }
}
