//! Text with styles: data whose control characters are escaped, and colours of ours.
//! Data can only get in through the methods here, so that a callback cannot put an escape sequence on a
//! terminal.

use std::fmt::Write;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use crate::text::printable;

/// The style of text that is not coloured.
pub const PLAIN: Style = Style::new();

/// Lines of text, parts of which have a style.
///
/// [`Safe::show`](super::Safe::show) writes it, with the styles or without.
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

    /// This text with lines of at most this many columns, broken between words. Lines that begin with a
    /// blank stay as they are: they belong to a table, or are commands to be copied.
    pub fn wrapped(&self, columns: usize) -> Styled {
        let mut text = String::with_capacity(self.0.len());
        for line in self.0.split_inclusive('\n') {
            match line.starts_with(' ') || width(line) <= columns {
                true => text.push_str(line),
                false => wrap(line, columns, &mut text),
            }
        }
        Self(text)
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

/// The width of a line on a terminal, without its escape sequences.
fn width(line: &str) -> usize {
    anstream::adapter::strip_str(line).map(UnicodeWidthStr::width).sum()
}

fn wrap(line: &str, columns: usize, out: &mut String) {
    let mut reached = 0;
    for word in line.split_inclusive(' ') {
        let shown = width(word.trim_end());
        if reached > 0 && reached + shown > columns {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            reached = 0;
        }
        out.push_str(word);
        reached += width(word);
    }
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;

    use super::Styled;

    #[test]
    fn long_lines_are_broken_between_words_and_commands_are_not() {
        let mut styled = Styled::from("It is ");
        styled.push_in(AnsiColor::Red.on_default(), "failed");
        styled.push(
            " because a failure outranks.\n  verify --expect 1:abcdef\nanextremelylongword x\n",
        );

        let expected = "It is failed\nbecause a\nfailure\noutranks.\n  verify --expect 1:abcdef\n\
                        anextremelylongword\nx\n";
        assert_eq!(styled.wrapped(12).plain(), expected);
        assert_eq!(styled.wrapped(200), styled);
        assert!(styled.wrapped(12).with_styles().starts_with("It is \x1b[31mfailed\x1b[0m\n"));
    }

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
