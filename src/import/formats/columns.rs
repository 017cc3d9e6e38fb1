//! The header of a table: its columns, recognised by name, and the delimiter between them.
//!
//! Twilio does not document the columns of its tables. Order, letter case, blanks and underscores
//! are ignored: `SentDate`, `Date Sent` and `date_sent` are the same column.

use csv::ByteRecord;
use serde_json::Value;

use super::{own_output, table};
use crate::import::input::encoding::NOT_UTF_8;
use crate::import::values;

/// Members of the resource, each with the other names that its column may have.
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

/// The columns of a table and the members that they contain.
pub struct Columns(Vec<Column>);

struct Column {
    /// Its name in the header, trimmed; `None` if it has no name.
    header: Option<String>,
    member: String,
}

impl Columns {
    /// The columns of a text's first row; empty if that is not a row.
    pub fn from_beginning(beginning: &[u8], delimiter: u8) -> Self {
        let mut rows = table::reader(beginning, delimiter);
        let mut record = ByteRecord::new();
        while let Ok(true) = rows.read_byte_record(&mut record) {
            if !table::is_blank(&record) && !table::states_delimiter(&record) {
                return Self::from_header(&record);
            }
        }
        Self(Vec::new())
    }

    pub fn from_header(header: &ByteRecord) -> Self {
        let mut columns: Vec<_> = header.iter().map(Column::new).collect();
        // Ignore unnamed columns after the last named one.
        while columns.pop_if(|column| column.header.is_none()).is_some() {}
        Self(columns)
    }

    /// True if one of them contains this member.
    pub fn have(&self, member: &str) -> bool {
        self.0.iter().any(|have| have.member == member)
    }

    /// The cell of a row in the column of this member.
    pub fn cell<'r>(&self, row: &'r ByteRecord, member: &str) -> Option<&'r [u8]> {
        row.get(self.0.iter().position(|column| column.member == member)?)
    }

    /// The number of columns whose names are Twilio's or this program's.
    pub fn known(&self) -> usize {
        let is_known = |column: &&Column| {
            MEMBERS.iter().any(|(member, _)| *member == column.member)
                || column.header.as_deref().is_some_and(own_output::is_own_column)
        };
        self.0.iter().filter(is_known).count()
    }

    /// The names of the named columns, in lower case.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().filter_map(|column| Some(column.header.as_ref()?.to_lowercase())).collect()
    }

    /// A description of the column of the member at this index in a row's JSON.
    pub fn place(&self, at: usize) -> String {
        let mut named = (1..).zip(&self.0).filter_map(|(number, column)| {
            let header = column.header.as_ref()?;
            Some(format!("column {number} (`{}`)", header.escape_debug()))
        });
        named.nth(at).unwrap_or_else(|| "a column".to_owned())
    }

    /// A row as JSON; an empty cell is null. Repeated columns are all included.
    pub fn object(&self, row: &ByteRecord) -> Result<Vec<u8>, String> {
        let mut members = Vec::with_capacity(self.0.len());
        for (number, cell) in (1..).zip(row) {
            let column = self.0.get(number - 1);
            let place = || match column.and_then(|column| column.header.as_ref()) {
                Some(header) => format!("column {number} (`{}`)", header.escape_debug()),
                None => format!("column {number}"),
            };
            let cell =
                std::str::from_utf8(cell).map_err(|_| format!("{}: {NOT_UTF_8}", place()))?;
            let blank = table::is_blank_text(cell);
            match column.filter(|column| column.header.is_some()) {
                Some(column) => {
                    let value = if blank { Value::Null } else { Value::from(cell) };
                    members.push(format!("{}:{value}", Value::from(column.member.as_str())));
                }
                None if blank || number == 1 && is_row_number(cell) => {}
                None => {
                    return Err(format!(
                        "{}: there is a value, and the header has no name for it",
                        place()
                    ));
                }
            }
        }
        Ok(format!("{{{}}}", members.join(",")).into_bytes())
    }

    /// The reason a row does not match the columns of the header; `None` if it does.
    pub fn missing_columns(&self, row: &ByteRecord) -> Option<String> {
        let (columns, header) = (row.len(), self.0.len());
        (columns < header).then(|| format!("{columns} columns where the header has {header}"))
    }
}

impl Column {
    fn new(name: &[u8]) -> Self {
        let name = String::from_utf8_lossy(name);
        let name = values::unwrapped(&name).0;
        let header = (!name.is_empty()).then(|| name.to_string());
        Self { member: member(&name), header }
    }
}

/// The delimiters that are tried; if several are equally good, the first is used.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The delimiter of a table that begins like this: the one in Excel's line `sep=;`, otherwise the one
/// that yields the most known column names.
pub fn delimiter_of(beginning: &[u8]) -> u8 {
    if let Some(delimiter) = header_lines(beginning).next().and_then(stated) {
        return delimiter;
    }
    let known = |delimiter: &u8| Columns::from_beginning(beginning, *delimiter).known();
    // `max_by_key` returns the last of equal elements.
    DELIMITERS.into_iter().rev().max_by_key(known).unwrap_or(b',')
}

/// The delimiter that a line states in Excel's way, with or without quotes.
fn stated(line: &[u8]) -> Option<u8> {
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
pub fn header_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.filter(|line| !line.trim_ascii().is_empty())
}

/// True for a row number, which data frames write before the first column.
fn is_row_number(cell: &str) -> bool {
    cell.trim().bytes().all(|byte| byte.is_ascii_digit())
}

/// The member in a column of this name; the name itself if it is unknown.
pub fn member(column: &str) -> String {
    let plain: String = column.chars().filter(|c| c.is_alphanumeric()).collect();
    let plain = plain.to_lowercase();
    let is = |(member, others): &&(&str, &[&str])| {
        member.replace('_', "") == plain || others.contains(&plain.as_str())
    };
    MEMBERS.iter().find(is).map_or_else(|| column.to_owned(), |(member, _)| (*member).to_owned())
}

/// The member of the resource that a JSON object names as Twilio's libraries and command line do, in
/// camel case; the name as it is otherwise.
pub fn member_of_json(name: &str) -> &str {
    let is = |(member, _): &&(&str, &[&str])| {
        let plain = member.replace('_', "");
        name.len() == plain.len() && name.eq_ignore_ascii_case(&plain) && is_camel(name, member)
    };
    MEMBERS.iter().find(is).map_or(name, |(member, _)| member)
}

/// True if a name is a member's in camel case, with or without a capital first letter.
fn is_camel(name: &str, member: &str) -> bool {
    let mut words = member.split('_').map(str::len);
    let mut begins = words.next().unwrap_or(0);
    let mut capitals = Vec::new();
    for length in words {
        capitals.push(begins);
        begins += length;
    }
    name.char_indices().skip(1).all(|(at, c)| c.is_ascii_uppercase() == capitals.contains(&at))
}
