//! The characters of a text and their positions in its bytes, with escapes resolved.

use std::ops::Range;

/// The encoding of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Plain,
    /// Percent-encoded, with `+` for a space, as in forms and queries.
    Encoded,
}

/// One character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub char: char,
    /// Its bytes in the text, escaped or not.
    pub at: Range<usize>,
}

type Byte = (u8, Range<usize>);

/// Layers of escapes that are resolved one after the other. The rest is resolved at once.
const LAYERS_MAX: usize = 4;

/// Every reading of a text: decoded once, then with one more layer of escapes resolved in each, finally
/// with all of them. A `%` between digits is an escape only in some readings.
pub fn readings(text: &[u8], coding: Coding) -> Vec<Vec<Unit>> {
    let mut layer = bytes(text, coding);
    let mut readings = vec![assemble(&layer)];
    for number in 1..=LAYERS_MAX {
        let before = layer.len();
        layer = resolved(layer, number == LAYERS_MAX);
        if layer.len() == before {
            break;
        }
        readings.push(assemble(&layer));
    }
    readings
}

/// A text with every escape resolved, however often it was escaped: percent-encoding, and JSON's and
/// Rust's `\u`.
pub fn peeled(text: &[u8], coding: Coding) -> Vec<Unit> {
    assemble(&resolved(bytes(text, coding), true))
}

fn resolved(bytes: Vec<Byte>, all: bool) -> Vec<Byte> {
    let mut rest = Vec::with_capacity(bytes.len());
    // From the end, so that an escaped `%` finds its digits resolved: each byte is seen once.
    for byte in bytes.into_iter().rev() {
        rest.push(byte);
        while resolve(&mut rest) && all {}
    }
    rest.reverse();
    rest
}

/// Decodes percent-encoded text.
pub fn decode(encoded: &[u8]) -> Vec<u8> {
    let blanks: Vec<u8> =
        encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_encoding::percent_decode(&blanks).collect()
}

fn bytes(text: &[u8], coding: Coding) -> Vec<Byte> {
    let mut bytes: Vec<Byte> = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let escape = (coding == Coding::Encoded && text[at] == b'%')
            .then(|| hex(text.get(at + 1..at + 3)?))
            .flatten();
        let (byte, length) = match (escape, text[at], coding) {
            (Some(value), ..) => (value as u8, 3),
            // Before a number a `+` was meant that nobody escaped, between words a blank.
            (None, b'+', Coding::Encoded) => {
                let in_a_word = bytes.last().is_some_and(|(byte, _)| byte.is_ascii_alphanumeric());
                (if in_a_word { b' ' } else { b'+' }, 1)
            }
            (None, byte, _) => (byte, 1),
        };
        bytes.push((byte, at..at + length));
        at += length;
    }
    bytes
}

fn hex(digits: &[u8]) -> Option<u32> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    all.then(|| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
}

/// Resolves the escape that begins at the end of `rest`, which is in reverse order. Returns whether
/// the result may begin another escape.
fn resolve(rest: &mut Vec<Byte>) -> bool {
    // As long as the longest escape, `\u{10ffff}`.
    let begin: Vec<u8> = rest.iter().rev().take(10).map(|(byte, _)| *byte).collect();
    let (value, length) = match &*begin {
        [b'%', digits @ ..] if digits.len() >= 2 => (hex(&digits[..2]), 3),
        [b'\\', b'u', b'{', digits @ ..] => {
            let end = digits.iter().position(|byte| *byte == b'}').unwrap_or(0);
            (hex(&digits[..end]), end + 4)
        }
        [b'\\', b'u', digits @ ..] if digits.len() >= 4 => (hex(&digits[..4]), 6),
        // Which control it is makes no difference: it separates.
        [b'\\', b'n' | b'r' | b't' | b'0', ..] => (Some(u32::from(b'\n')), 2),
        _ => return false,
    };
    let Some(value) = value else { return false };
    let at = rest[rest.len() - 1].1.start..rest[rest.len() - length].1.end;
    rest.truncate(rest.len() - length);
    match begin[0] {
        b'%' => rest.push((value as u8, at)),
        _ => push_char(rest, value, at),
    }
    matches!(rest.last(), Some((b'%' | b'\\', _)))
}

/// A character of JSON's `\u`; one beyond U+FFFF is written as two of these.
fn push_char(rest: &mut Vec<Byte>, value: u32, at: Range<usize>) {
    let (value, at) = match low_surrogate(rest).filter(|_| (0xd800..0xdc00).contains(&value)) {
        Some((low, end)) => {
            rest.truncate(rest.len() - 3);
            (0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00), at.start..end)
        }
        None => (value, at),
    };
    let mut utf8 = [0; 4];
    let utf8 = match char::from_u32(value) {
        Some(c) => c.encode_utf8(&mut utf8).as_bytes().to_vec(),
        // Half of a pair, in the form that UTF-8 would give it.
        None => vec![0xed, 0x80 | (value >> 6 & 0x3f) as u8, 0x80 | (value & 0x3f) as u8],
    };
    rest.extend(utf8.into_iter().rev().map(|byte| (byte, at.clone())));
}

fn low_surrogate(rest: &[Byte]) -> Option<(u32, usize)> {
    match rest {
        [.., (third, at), (second @ 0xb0..=0xbf, _), (0xed, _)] => {
            Some((0xd000 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f), at.end))
        }
        _ => None,
    }
}

fn assemble(bytes: &[Byte]) -> Vec<Unit> {
    let text: Vec<u8> = bytes.iter().map(|(byte, _)| *byte).collect();
    let mut units = Vec::with_capacity(text.len());
    let mut at = 0;
    let mut push = |char: char, length: usize| {
        units.push(Unit { char, at: bytes[at].1.start..bytes[at + length - 1].1.end });
        at += length;
    };
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(c, c.len_utf8()));
        chunk.invalid().iter().for_each(|_| push(char::REPLACEMENT_CHARACTER, 1));
    }
    units
}

#[cfg(test)]
mod tests {
    use super::{Coding, peeled};

    #[test]
    fn escapes_are_resolved_however_often_something_was_escaped() {
        for (escaped, meant) in [
            ("%35", "5"),
            ("%2535", "5"),
            ("%25252535", "5"),
            ("\\u0035", "5"),
            ("\\u{35}", "5"),
            ("%5Cu0035", "5"),
            ("%5c%750035", "5"),
            ("\\u002535", "5"),
            ("%EF%BC%95", "\u{ff15}"),
            ("%25EF%25BC%2595", "\u{ff15}"),
            ("\\ud835\\udfd3", "\u{1d7d3}"),
            ("a%2", "a%2"),
            ("\\u00", "\\u00"),
            ("\\u{}", "\\u{}"),
            ("\\ud835x", "\u{fffd}\u{fffd}\u{fffd}x"),
        ] {
            let units = peeled(escaped.as_bytes(), Coding::Plain);
            let text: String = units.iter().map(|unit| unit.char).collect();
            assert_eq!(text, meant, "{escaped}");
            assert_eq!(units.first().map(|unit| unit.at.start), Some(0));
            assert_eq!(units.last().map(|unit| unit.at.end), Some(escaped.len()));
        }
    }

    #[test]
    fn a_long_chain_of_escapes_takes_no_longer_than_its_length() {
        let chain = format!("%{}35", "25".repeat(500_000));
        let units = peeled(chain.as_bytes(), Coding::Plain);
        assert_eq!((units.len(), units[0].char), (1, '5'));
    }
}
