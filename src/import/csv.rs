//! The message log as Twilio's Console exports it. Its columns are not documented, so they are known
//! by what they are called, whatever their order, letter case, blanks and underscores: `SentDate`,
//! `Date Sent` and `date_sent` are one. Rows become the JSON of Twilio's Message resource; columns of
//! other names are kept under these.

use std::io::BufRead;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use serde_json::Value;

use super::bounded::Bounded;
use super::input::is_of_content;
use super::lines::{CUT_OFF, too_long};
use super::{Each, ImportError, ROW_BYTES_MAX};

/// What the reader takes at a time, and so perhaps beyond the end of a row.
const BUFFER_BYTES: usize = 64 * 1024;

/// Members of the resource, and what a column that holds one may be called besides.
const MEMBERS: [(&str, &[&str]); 16] = [
    ("account_sid", &[]),
    ("api_version", &[]),
    ("body", &["messagebody", "message", "text", "content"]),
    ("date_created", &["createddate", "createdat"]),
    ("date_sent", &["sentdate", "sentat"]),
    ("date_updated", &["updateddate", "updatedat"]),
    ("direction", &[]),
    ("error_code", &[]),
    ("error_message", &[]),
    ("from", &[]),
    ("messaging_service_sid", &[]),
    ("num_media", &[]),
    ("num_segments", &["segments"]),
    ("sid", &["messagesid", "smssid", "smsmessagesid"]),
    ("status", &["messagestatus"]),
    ("to", &[]),
];

/// Which members the columns of a file hold.
pub struct Columns(Vec<String>);

impl Columns {
    /// Of a file's first line.
    pub fn of_header(header: &[u8]) -> Self {
        let mut record = ByteRecord::new();
        match rows(header).read_byte_record(&mut record) {
            Ok(_) => Self::of_record(&record),
            Err(_) => Self(Vec::new()),
        }
    }

    fn of_record(header: &ByteRecord) -> Self {
        Self(header.iter().map(|name| member(&String::from_utf8_lossy(name))).collect())
    }

    /// Whether one of them holds this member.
    pub fn have(&self, member: &str) -> bool {
        self.0.iter().any(|have| have == member)
    }

    /// A row as JSON; an empty cell is null. Columns of one name are all kept.
    fn object(&self, row: &ByteRecord) -> Result<Vec<u8>, String> {
        let mut object = String::from("{");
        for (at, (member, cell)) in self.0.iter().zip(row).enumerate() {
            let cell =
                std::str::from_utf8(cell).map_err(|_| format!("column {} is not UTF-8", at + 1))?;
            let comma = if at == 0 { "" } else { "," };
            let value = if cell.is_empty() { Value::Null } else { Value::from(cell) };
            object += &format!("{comma}{}:{value}", Value::from(member.as_str()));
        }
        object.push('}');
        Ok(object.into_bytes())
    }
}

/// Gives every row as the JSON of a message.
pub fn each_row(name: &str, reader: &mut dyn BufRead, each: Each<'_>) -> Result<(), ImportError> {
    let (bounded, bound) = Bounded::new(reader);
    let mut rows = rows(bounded);
    let mut columns = None;
    let mut row = ByteRecord::new();
    loop {
        bound.allow(ROW_BYTES_MAX + BUFFER_BYTES as u64);
        let read = rows.read_byte_record(&mut row);
        let line = row.position().map_or(1, |position| position.line());
        match (read, &columns) {
            (Ok(false), _) => return Ok(()),
            (Ok(true), None) => columns = Some(Columns::of_record(&row)),
            (Ok(true), Some(columns)) => match columns.object(&row) {
                Ok(object) => each(line, Ok(&object))?,
                Err(why) => each(line, Err(why))?,
            },
            (Err(error), _) => {
                let (line, why, goes_on) = told(name, error, rows.position().line())?;
                each(line, Err(why))?;
                if !goes_on {
                    return Ok(());
                }
            }
        }
    }
}

fn rows<R: std::io::Read>(from: R) -> Reader<R> {
    ReaderBuilder::new().has_headers(false).buffer_capacity(BUFFER_BYTES).from_reader(from)
}

/// What is wrong in which line, and whether there may be more rows behind it.
fn told(name: &str, error: csv::Error, line: u64) -> Result<(u64, String, bool), ImportError> {
    match error.into_kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.map_or(line, |position| position.line());
            Ok((line, format!("{len} columns where the header has {expected_len}"), true))
        }
        ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            Ok((line, format!("a row {}; a quote may be missing", too_long(ROW_BYTES_MAX)), false))
        }
        ErrorKind::Io(error) if is_of_content(&error) => Ok((line, CUT_OFF.to_owned(), false)),
        ErrorKind::Io(source) => Err(ImportError::Read { name: name.to_owned(), source }),
        other => Ok((line, format!("it is no CSV: {other:?}"), false)),
    }
}

/// The member that a column of this name holds, or the name as it is.
fn member(column: &str) -> String {
    let plain: String = column.chars().filter(|c| c.is_alphanumeric()).collect();
    let plain = plain.to_lowercase();
    let is = |(member, others): &&(&str, &[&str])| {
        member.replace('_', "") == plain || others.contains(&plain.as_str())
    };
    MEMBERS.iter().find(is).map_or_else(|| column.to_owned(), |(member, _)| (*member).to_owned())
}
