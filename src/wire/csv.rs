//! Cells of CSV files that are safe to open in a spreadsheet, and errors of writing them.

use std::borrow::Cow;
use std::io;

/// Puts a `'` before text that a spreadsheet would evaluate as a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>). Numbers stay as they are.
pub fn escape_formula(cell: Cow<'_, str>) -> Cow<'_, str> {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    match is_formula && !is_number(&cell) {
        true => Cow::Owned(format!("'{cell}")),
        false => cell,
    }
}

/// The I/O error inside a CSV error, so that its kind, such as a closed pipe, is not lost.
pub fn write_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn is_number(cell: &str) -> bool {
    let number = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction)
}
