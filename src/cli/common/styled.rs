//! Text with styles: data whose control characters are escaped, and colours of ours.
//! Data can only get in through the methods here, so that a callback cannot put an escape sequence on a
//! terminal.

use std::fmt::Write;

use anstyle::Style;

use crate::text::printable;

/// The style of text that is not coloured.
pub const PLAIN: Style = Style::new();

/// Lines of text, parts of which have a style.
///
/// [`Safe::show`](super::terminal::Safe::show) writes it, with the styles or without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Styled(String);

impl Styled {
    /// Adds text. Its control characters are escaped, except for line breaks; of data, these are
    /// escaped by [`printable`] before.
    pub fn push(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            self.0.push_str(if index == 0 { "" } else { "\n" });
            self.0.push_str(&printable(line));
        }
    }

    /// Adds text in this style.
    pub fn push_in(&mut self, style: Style, text: &str) {
        if style.is_plain() {
            return self.push(text);
        }
        write!(self.0, "{style}").expect("a String takes every text");
        self.push(text);
        write!(self.0, "{style:#}").expect("a String takes every text");
    }

    /// Adds this many blanks.
    pub fn push_blanks(&mut self, blanks: usize) {
        self.0.extend(std::iter::repeat_n(' ', blanks));
    }

    /// Adds other styled text.
    pub fn append(&mut self, other: &Styled) {
        self.0.push_str(&other.0);
    }

    /// The text with the escape sequences of its styles.
    pub fn with_styles(&self) -> &str {
        &self.0
    }

    /// The text alone.
    pub fn plain(&self) -> String {
        anstream::adapter::strip_str(&self.0).to_string()
    }
}

impl From<&str> for Styled {
    fn from(text: &str) -> Self {
        let mut styled = Self::default();
        styled.push(text);
        styled
    }
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;

    use super::Styled;

    #[test]
    fn data_cannot_bring_its_own_escape_sequences() {
        let mut styled = Styled::default();
        styled.push_in(AnsiColor::Red.on_default(), "a\x1b[32m\u{9b}1m\rb");
        styled.push("\nend\x07");

        let shown = "\x1b[31ma\\u{1b}[32m\\u{9b}1m\\rb\x1b[0m\nend\\u{7}";
        assert_eq!(styled.with_styles(), shown);
        assert_eq!(styled.plain(), "a\\u{1b}[32m\\u{9b}1m\\rb\nend\\u{7}");
    }
}
