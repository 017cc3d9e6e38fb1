//! What separates the columns of a table, by its first lines.

use super::csv::Columns;

/// What is tried; of equals the first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What separates the columns of a table that begins like this: the one of Excel's line `sep=;`, or
/// else the one by which most columns have a name that is known.
pub fn of(beginning: &[u8]) -> u8 {
    if let Some(delimiter) = lines(beginning).next().and_then(stated) {
        return delimiter;
    }
    let known = |delimiter: &u8| Columns::of_header(beginning, *delimiter).known();
    // The last of equals would be taken.
    DELIMITERS.into_iter().rev().max_by_key(known).unwrap_or(b',')
}

/// The delimiter that a line states in Excel's way, with or without quotes.
pub fn stated(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii_start();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] if delimiter.is_ascii() => {
            Some(*delimiter)
        }
        _ => None,
    }
}

/// The lines that are not blank, without their ends.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.filter(|line| !line.trim_ascii().is_empty())
}
