//! Standard output with control characters escaped on a terminal, which would interpret them. A file or
//! a pipe gets every byte unchanged.

use std::io::{self, IsTerminal, Stdout, Write};

use crate::text::is_unsafe;

/// The maximum length of a character in UTF-8.
const CHAR_BYTES_MAX: usize = 4;

/// Standard output, made safe if it is a terminal.
pub fn stdout() -> Safe<Stdout> {
    let out = io::stdout();
    Safe { is_terminal: out.is_terminal(), out, begun: Vec::new() }
}

/// A writer that escapes control characters if it writes to a terminal.
pub struct Safe<W: Write> {
    out: W,
    is_terminal: bool,
    /// The beginning of a character that is not whole yet.
    begun: Vec<u8>,
}

impl<W: Write> Write for Safe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_terminal {
            return self.out.write(bytes);
        }
        self.begun.extend_from_slice(bytes);
        let text = std::mem::take(&mut self.begun);
        let mut shown = String::with_capacity(text.len());
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            shown.extend(chunk.valid().chars().flat_map(escaped));
            let invalid = chunk.invalid();
            let may_go_on = chunks.peek().is_none() && invalid.len() < CHAR_BYTES_MAX;
            match may_go_on && std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none())
            {
                true => self.begun = invalid.to_vec(),
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
    /// True if the output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// The underlying writer.
    pub fn inner(&self) -> &W {
        &self.out
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::Safe;

    fn written(pieces: &[&[u8]], is_terminal: bool) -> Vec<u8> {
        let mut safe = Safe { out: Vec::new(), is_terminal, begun: Vec::new() };
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
}
