//! One cell of a CSV file, made harmless for spreadsheets, and what writing one can fail for.

use std::borrow::Cow;
use std::io;

/// A cell that a spreadsheet would take for a formula gets a `'` before it
/// (<https://owasp.org/www-community/attacks/CSV_Injection>); a number is none.
pub fn harmless(cell: Cow<'_, str>) -> Cow<'_, str> {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    match is_formula && !is_number(&cell) {
        true => Cow::Owned(format!("'{cell}")),
        false => cell,
    }
}

/// The failure to write that is inside a failure of CSV, which would hide its kind, such as that of a
/// closed pipe.
pub fn write_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
