//! Lines of a table that are not rows: blank lines, a repeated header, and totals below the rows.

use std::borrow::Cow;
use std::io::Read;

use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::import::values;

/// The buffer size of the reader, and so the maximum that it reads beyond the end of a row.
pub const BUFFER_BYTES: usize = 64 * 1024;

/// The first word of a line below a table, with or without a number before it.
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

/// The marker for a line that is not a row.
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

/// True if every cell is blank.
pub fn is_blank(row: &ByteRecord) -> bool {
    row.iter().all(is_blank_cell)
}

/// True if a cell contains no visible character.
pub fn is_blank_cell(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(is_blank_text)
}

/// True if a text contains no visible character.
pub fn is_blank_text(cell: &str) -> bool {
    cell.chars().all(values::is_blank)
}

/// True if it is Excel's line with the delimiter: `sep=;`.
pub fn states_delimiter(row: &ByteRecord) -> bool {
    let text = row.as_slice();
    text.len() <= 5 && text.get(..4).is_some_and(|text| text.eq_ignore_ascii_case(b"sep="))
}

/// The cells of a header without wrapping, and without blank ones at the end.
pub fn header_cells(header: &ByteRecord) -> Vec<String> {
    let mut cells: Vec<String> = header.iter().map(|cell| plain(cell).into_owned()).collect();
    while cells.pop_if(|cell| cell.is_empty()).is_some() {}
    cells
}

/// True if a row has these cells, with only blank ones after them.
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

/// True if a row without message and status is a total or a count, such as `Total` or `(13 rows)`.
pub fn is_footer(row: &ByteRecord) -> bool {
    let Some(first) = row.iter().find(|cell| !is_blank_cell(cell)) else { return false };
    let first = String::from_utf8_lossy(first).to_lowercase();
    let mut words = first.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    words.next().is_some_and(|word| FOOTERS.contains(&word))
}
