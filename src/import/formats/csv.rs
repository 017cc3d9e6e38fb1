//! Reader of tables (CSV, TSV) as Twilio's Console and command line write them.
//!
//! Rows become the JSON of Twilio's Message resource; unknown columns are kept under their own
//! names.

use std::io::{self, BufRead};

use csv::{ByteRecord, ErrorKind};

use super::columns::Columns;
use super::lines::{cut_off, too_long};
use super::table::{self, NotARow};
use super::{Each, ROW_BYTES_MAX, Row, own_output};
use crate::import::input::is_content_error;
use crate::import::input::limited_reader::LimitedReader;
use crate::import::{ImportError, values};

const NO_SID: &str = "this is taken for the header of a table, and has no column `Sid`";

/// Calls `each` with every row as the JSON of a message.
pub fn each_row(
    name: &str,
    reader: &mut dyn BufRead,
    delimiter: u8,
    each: Each<'_>,
) -> Result<(), ImportError> {
    let (bounded, bound) = LimitedReader::new(reader);
    let mut rows = table::reader(bounded, delimiter);
    let mut header: Option<(Vec<String>, Columns)> = None;
    let mut row = ByteRecord::new();
    loop {
        bound.allow(ROW_BYTES_MAX + table::BUFFER_BYTES as u64);
        let read = rows.read_byte_record(&mut row);
        // The reader's own count is off by one after CR LF, and by every blank line before a row.
        let last_byte = rows.position().byte().saturating_sub(1);
        let within = memchr::memchr_iter(b'\n', row.as_slice()).count() as u64;
        let line = bound.line_of(last_byte).saturating_sub(within).max(1);
        match read {
            Ok(false) => return Ok(()),
            Ok(true) if table::is_blank(&row) => {}
            Ok(true) => match &header {
                None if table::states_delimiter(&row) => {}
                None => {
                    let columns = Columns::from_header(&row);
                    if let Some(what) = own_output::describe_table(&columns.names()) {
                        return each(line, Err(what));
                    }
                    if !columns.have("sid") {
                        return each(line, Err(NO_SID.to_owned()));
                    }
                    header = Some((table::header_cells(&row), columns));
                }
                Some((header, columns)) => match row_json(columns, &row, header) {
                    Ok(Ok(json)) => each(line, Ok(Row { json: &json, columns: Some(columns) }))?,
                    Ok(Err(why)) => each(line, Err(why))?,
                    Err(NotARow) => {}
                },
            },
            Err(error) => {
                let (line, why) = describe(name, error, rows.position().line())?;
                return each(line, Err(why));
            }
        }
    }
}

/// The JSON of a row, or the reason it is invalid; [`NotARow`] for lines that are not rows.
fn row_json(
    columns: &Columns,
    row: &ByteRecord,
    header: &[String],
) -> Result<Result<Vec<u8>, String>, NotARow> {
    // Concatenated files repeat the header.
    if table::is_header(row, header) {
        return Err(NotARow);
    }
    let is_stated = |member: &str, beginnings: &[&str]| {
        let cell = String::from_utf8_lossy(columns.cell(row, member).unwrap_or_default());
        let cell = values::unwrapped(&cell).0;
        !cell.is_empty() && beginnings.iter().any(|beginning| cell.starts_with(beginning))
    };
    let is_of_message = is_stated("sid", &["SM", "MM"]) || is_stated("status", &[""]);
    if !is_of_message && table::is_footer(row) {
        return Err(NotARow);
    }
    Ok(match columns.missing_columns(row) {
        Some(why) => Err(why),
        None => columns.object(row),
    })
}

/// The line and the reason of an error after which nothing more can be read.
fn describe(name: &str, error: csv::Error, line: u64) -> Result<(u64, String), ImportError> {
    match error.into_kind() {
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Ok((line, format!("a row {}; a quote may be missing", too_long(ROW_BYTES_MAX))))
        }
        ErrorKind::Io(error) if is_content_error(&error) => Ok((line, cut_off(&error))),
        ErrorKind::Io(source) => Err(ImportError::Read { name: name.to_owned(), source }),
        other => Ok((line, format!("it is no CSV: {other:?}"))),
    }
}
