//! Standard output with control characters escaped on a terminal, which would interpret them. A file or
//! a pipe gets every byte unchanged. Colours of ours are written as such, on a terminal that has them.

mod pager;
pub mod palette;
pub mod styled;

use std::io::{self, IsTerminal, Stdout, Write};

use anstream::{AutoStream, ColorChoice};
use terminal_size::{Height, Width, terminal_size_of};

use self::pager::{Paged, Pager};
use self::styled::Styled;
use crate::config::{self, Settings};
use crate::text::is_unsafe;

/// The size of a terminal that does not tell it.
const USUAL_COLUMNS: usize = 80;
const USUAL_ROWS: usize = 24;

/// The maximum length of a character in UTF-8.
const CHAR_BYTES_MAX: usize = 4;

/// Standard output, made safe if it is a terminal.
pub fn stdout() -> Safe<Stdout> {
    let out = io::stdout();
    let columns = out.is_terminal().then(|| size(&out).0);
    Safe::new(out, columns)
}

/// The same, through a pager if it is longer than the terminal.
pub fn paged(settings: &Settings) -> Safe<Paged> {
    let out = io::stdout();
    let size = out.is_terminal().then(|| size(&out));
    let pager = size.zip(settings.pager()).map(|((columns, rows), command)| Pager {
        command,
        has_less_options: settings.has_less_options(),
        columns,
        rows,
    });
    Safe::new(Paged::new(out, pager), size.map(|(columns, _)| columns))
}

/// The columns and rows of the terminal.
fn size(out: &Stdout) -> (usize, usize) {
    let size = terminal_size_of(out).map(|(Width(columns), Height(rows))| (columns, rows));
    // A terminal may not know its size, and say that it is 0.
    let known = |number: u16| (number > 0).then_some(usize::from(number));
    let columns = size.and_then(|(columns, _)| known(columns));
    let rows = size.and_then(|(_, rows)| known(rows));
    // COLUMNS goes first, as with other programs, so that a user can choose another width.
    let columns = config::columns().or(columns).unwrap_or(USUAL_COLUMNS);
    (columns, rows.unwrap_or(USUAL_ROWS))
}

/// A writer that escapes control characters if it writes to a terminal.
pub struct Safe<W: Write> {
    out: W,
    is_terminal: bool,
    columns: Option<usize>,
    has_styles: bool,
    /// The first bytes of a character whose remaining bytes have not been written yet.
    incomplete: Vec<u8>,
}

impl<W: Write> Write for Safe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_terminal {
            return self.out.write(bytes);
        }
        self.incomplete.extend_from_slice(bytes);
        let text = std::mem::take(&mut self.incomplete);
        let mut shown = String::with_capacity(text.len());
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            shown.extend(chunk.valid().chars().flat_map(escaped));
            let invalid = chunk.invalid();
            let may_continue = chunks.peek().is_none() && invalid.len() < CHAR_BYTES_MAX;
            match may_continue
                && std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none())
            {
                true => self.incomplete = invalid.to_vec(),
                false => shown.extend(invalid.iter().map(|byte| format!("\\x{byte:02x}"))),
            }
        }
        self.out.write_all(shown.as_bytes()).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A character, or its escape in the form of JSON. Line breaks and tabs are not escaped.
fn escaped(c: char) -> Vec<char> {
    match is_unsafe(c) && !['\n', '\r', '\t'].contains(&c) {
        true => format!("\\u{:04x}", u32::from(c)).chars().collect(),
        false => vec![c],
    }
}

impl<W: Write> Safe<W> {
    /// A writer for standard output, which is a terminal if it has columns.
    fn new(out: W, columns: Option<usize>) -> Self {
        let has_styles = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        let is_terminal = columns.is_some();
        Self { out, is_terminal, columns, has_styles, incomplete: Vec::new() }
    }

    /// True if the output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// The width of the terminal. `None` if it is a file or a pipe, whose lines have no limit.
    pub fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// Writes text with its styles, if the output has them: `NO_COLOR`, `CLICOLOR_FORCE`, `TERM` and
    /// `--color` decide that. On a terminal, long lines are broken between words.
    pub fn show(&mut self, text: &Styled) -> io::Result<()> {
        let wrapped = self.columns.map(|columns| text.wrapped(columns));
        let text = wrapped.as_ref().unwrap_or(text);
        match self.has_styles {
            true => self.out.write_all(text.with_styles().as_bytes()),
            false => self.out.write_all(text.plain().as_bytes()),
        }
    }

    /// Writes sentences; on a terminal, long lines are broken between words.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.show(&Styled::from(text))
    }

    /// The underlying writer.
    pub fn inner(&self) -> &W {
        &self.out
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Safe, Styled};

    fn safe(is_terminal: bool, has_styles: bool) -> Safe<Vec<u8>> {
        Safe { out: Vec::new(), is_terminal, columns: None, has_styles, incomplete: Vec::new() }
    }

    fn written(pieces: &[&[u8]], is_terminal: bool) -> Vec<u8> {
        let mut safe = safe(is_terminal, false);
        pieces.iter().for_each(|piece| safe.write_all(piece).unwrap());
        safe.out
    }

    #[test]
    fn a_terminal_gets_no_control_characters_and_a_file_every_byte() {
        let text = "a\x1b[31m\x07\0\u{9b}\u{202e}\u{2066}é\r\n\t";
        let shown = "a\\u001b[31m\\u0007\\u0000\\u009b\\u202e\\u2066é\r\n\t";
        assert_eq!(written(&[text.as_bytes()], true), shown.as_bytes());
        assert_eq!(written(&[text.as_bytes()], false), text.as_bytes());
    }

    #[test]
    fn a_character_may_come_in_two_pieces() {
        assert_eq!(written(&[b"\xc2", b"\x9bx"], true), b"\\u009bx");
        assert_eq!(written(&[b"\xc3", b"\xa9"], true), "é".as_bytes());
        assert_eq!(written(&[b"\xffx"], true), b"\\xffx");
    }
    #[test]
    fn styles_are_written_only_to_an_output_that_has_them() {
        let mut text = Styled::from("of ");
        text.push_in(anstyle::AnsiColor::Red.on_default(), "\x1b[7mfailed");
        for (has_styles, expected) in
            [(true, "of \x1b[31m\\u{1b}[7mfailed\x1b[0m"), (false, "of \\u{1b}[7mfailed")]
        {
            let mut safe = safe(true, has_styles);
            safe.show(&text).unwrap();
            assert_eq!(String::from_utf8(safe.out).unwrap(), expected);
        }
    }
}
