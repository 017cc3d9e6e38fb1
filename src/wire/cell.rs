//! One cell of a CSV file, made harmless for spreadsheets.

use std::borrow::Cow;

/// A cell that a spreadsheet would take for a formula gets a `'` before it
/// (<https://owasp.org/www-community/attacks/CSV_Injection>); a number is none.
pub fn harmless(cell: Cow<'_, str>) -> Cow<'_, str> {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    match is_formula && !is_number(&cell) {
        true => Cow::Owned(format!("'{cell}")),
        false => cell,
    }
}

fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
