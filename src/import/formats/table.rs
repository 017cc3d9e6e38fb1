//! Lines of a table that are not rows: blank lines, a repeated header, and totals below the rows.

use std::borrow::Cow;
use std::io::Read;

use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::import::values;

/// How many bytes the reader takes at a time, and so at most reads beyond the end of a row.
pub const BUFFER_BYTES: usize = 64 * 1024;

/// The first word of a line below a table, behind a number or not.
const FOOTERS: [&str; 11] = [
    "total",
    "totals",
    "sum",
    "count",
    "row",
    "rows",
    "record",
    "records",
    "messages",
    "exported",
    "generated",
];

/// See the module.
pub struct NotARow;

/// A reader of rows that may have any number of cells, the header included.
pub fn reader<R: Read>(from: R, delimiter: u8) -> Reader<R> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(from)
}

/// Whether no cell has anything in it.
pub fn is_blank(row: &ByteRecord) -> bool {
    row.iter().all(is_blank_cell)
}

/// Whether a cell has nothing in it that anybody could see.
pub fn is_blank_cell(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(is_blank_text)
}

/// The same of text.
pub fn is_blank_text(cell: &str) -> bool {
    cell.chars().all(values::is_blank)
}

/// Whether it is the line in which Excel states the delimiter: `sep=;`.
pub fn states_delimiter(row: &ByteRecord) -> bool {
    let text = row.as_slice();
    text.len() <= 5 && text.get(..4).is_some_and(|text| text.eq_ignore_ascii_case(b"sep="))
}

/// The cells of a header without what is wrapped around them, and without blank ones at its end.
pub fn header_cells(header: &ByteRecord) -> Vec<String> {
    let mut cells: Vec<String> = header.iter().map(|cell| plain(cell).into_owned()).collect();
    while cells.pop_if(|cell| cell.is_empty()).is_some() {}
    cells
}

/// Whether a row has these cells, and blank ones behind them.
pub fn is_header(row: &ByteRecord, header: &[String]) -> bool {
    row.len() >= header.len()
        && row.iter().zip(header).all(|(cell, header)| plain(cell) == header.as_str())
        && row.iter().skip(header.len()).all(is_blank_cell)
}

fn plain(cell: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(cell) {
        Cow::Borrowed(text) => values::unwrapped(text).0,
        Cow::Owned(text) => Cow::Owned(values::unwrapped(&text).0.into_owned()),
    }
}

/// Whether a row that names neither message nor status counts or sums the others: `Total`, or
/// `(13 rows)`.
pub fn is_footer(row: &ByteRecord) -> bool {
    let Some(first) = row.iter().find(|cell| !is_blank_cell(cell)) else { return false };
    let first = String::from_utf8_lossy(first).to_lowercase();
    let mut words = first.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    words.next().is_some_and(|word| FOOTERS.contains(&word))
}
