//! The header of a table: its columns, recognised by name, and the delimiter between them.
//!
//! Twilio does not document the columns of its tables. Order, letter case, blanks and underscores
//! are ignored: `SentDate`, `Date Sent` and `date_sent` are the same column.

use csv::ByteRecord;
use serde_json::Value;

use super::{own_output, table};
use crate::import::input::encoding::NOT_UTF_8;
use crate::import::values;

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

/// The columns of a table, and which members they hold.
pub struct Columns(Vec<Column>);

struct Column {
    /// As the header has it, without blanks around it; `None` if it has no name.
    header: Option<String>,
    member: String,
}

impl Columns {
    /// Of the first row of a text, by its delimiter; none if that is no row.
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
        // What is behind the last name has no name either.
        while columns.pop_if(|column| column.header.is_none()).is_some() {}
        Self(columns)
    }

    /// Whether one of them holds this member.
    pub fn have(&self, member: &str) -> bool {
        self.0.iter().any(|have| have.member == member)
    }

    /// The cell of a row in the column that holds this member.
    pub fn cell<'r>(&self, row: &'r ByteRecord, member: &str) -> Option<&'r [u8]> {
        row.get(self.0.iter().position(|column| column.member == member)?)
    }

    /// How many hold a member of the resource, or of what we write.
    pub fn known(&self) -> usize {
        let is_known = |column: &&Column| {
            MEMBERS.iter().any(|(member, _)| *member == column.member)
                || column.header.as_deref().is_some_and(own_output::is_own_column)
        };
        self.0.iter().filter(is_known).count()
    }

    /// Their names in lower case, as far as they have any.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().filter_map(|column| Some(column.header.as_ref()?.to_lowercase())).collect()
    }

    /// Where the member at this place of a row's JSON stood.
    pub fn place(&self, at: usize) -> String {
        let mut named = (1..).zip(&self.0).filter_map(|(number, column)| {
            let header = column.header.as_ref()?;
            Some(format!("column {number} (`{}`)", header.escape_debug()))
        });
        named.nth(at).unwrap_or_else(|| "a column".to_owned())
    }

    /// A row as JSON; an empty cell is null. Columns of one name are all kept.
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

    /// Why a row has not the columns of the header.
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

/// What is tried; of equals the first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What separates the columns of a table that begins like this: the one of Excel's line `sep=;`, or
/// else the one by which most columns have a name that is known.
pub fn delimiter_of(beginning: &[u8]) -> u8 {
    if let Some(delimiter) = header_lines(beginning).next().and_then(stated) {
        return delimiter;
    }
    let known = |delimiter: &u8| Columns::from_beginning(beginning, *delimiter).known();
    // The last of equals would be taken.
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

/// The number of a row, as data frames put it before the first column.
fn is_row_number(cell: &str) -> bool {
    cell.trim().bytes().all(|byte| byte.is_ascii_digit())
}

/// The member that a column of this name holds, or the name as it is.
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

/// Whether a name is a member's in camel case, whether its first letter is a capital or not.
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
