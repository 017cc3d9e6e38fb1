//! Cells of CSV files that are safe to open in a spreadsheet, and errors of writing them.

use std::borrow::Cow;
use std::io;

/// Puts a `'` before text that a spreadsheet would evaluate as a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>). Numbers stay as they are.
pub fn escape_formula(cell: Cow<'_, str>) -> Cow<'_, str> {
    match is_formula(cell.as_bytes()) {
        true => Cow::Owned(format!("'{cell}")),
        false => cell,
    }
}

/// Ends a cell that was added to a line from `start` on: formulas are escaped, and what has a comma, a quote
/// or a line break is quoted (RFC 4180). Exports write fifty cells a row, for which the `csv` crate takes
/// several times as long.
pub fn end_cell(line: &mut Vec<u8>, start: usize) {
    let cell = &line[start..];
    let is_formula = is_formula(cell);
    // No early return, so that the compiler compares many bytes at a time.
    let quotes = cell
        .iter()
        .fold(false, |quotes, byte| quotes | matches!(byte, b',' | b'"' | b'\r' | b'\n'));
    if !is_formula && !quotes {
        return;
    }
    let cell = line.split_off(start);
    line.extend(quotes.then_some(b'"'));
    line.extend(is_formula.then_some(b'\''));
    for byte in cell {
        line.extend((byte == b'"').then_some(b'"'));
        line.push(byte);
    }
    line.extend(quotes.then_some(b'"'));
}

/// The I/O error inside a CSV error, so that its kind, such as a closed pipe, is not lost.
pub fn write_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn is_formula(cell: &[u8]) -> bool {
    matches!(cell, [b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r', ..]) && !is_number(cell)
}

fn is_number(cell: &[u8]) -> bool {
    let number = match cell {
        [b'+' | b'-', number @ ..] => number,
        number => number,
    };
    let are_digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    match number.iter().position(|byte| *byte == b'.') {
        Some(point) => are_digits(&number[..point]) && are_digits(&number[point + 1..]),
        None => are_digits(number),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{end_cell, escape_formula};

    proptest! {
        #[test]
        fn a_cell_is_written_as_the_csv_crate_writes_it(
            cells in vec("[-+=@\t\r\n\",;'. a-c0-9é]{0,6}", 2..5),
        ) {
            let mut writer =
                csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
            let escaped = cells.iter().map(|cell| escape_formula(Cow::Borrowed(cell)).into_owned());
            writer.write_record(escaped.collect::<Vec<_>>()).unwrap();

            let mut line = Vec::new();
            for (place, cell) in cells.iter().enumerate() {
                line.extend((place > 0).then_some(b','));
                let start = line.len();
                line.extend_from_slice(cell.as_bytes());
                end_cell(&mut line, start);
            }
            line.extend_from_slice(b"\r\n");

            prop_assert_eq!(line, writer.into_inner().unwrap());
        }
    }

    #[test]
    fn a_formula_is_escaped_and_a_number_is_not() {
        for (cell, escaped) in [
            ("=1+1", "'=1+1"),
            ("+15558675310", "+15558675310"),
            ("-0.0075", "-0.0075"),
            ("-1.", "'-1."),
            ("+", "'+"),
            ("@x", "'@x"),
            ("-5,5", "\"'-5,5\""),
            ("a=b", "a=b"),
        ] {
            let mut line = cell.as_bytes().to_vec();
            end_cell(&mut line, 0);
            assert_eq!(line, escaped.as_bytes(), "{cell}");
        }
    }
}
