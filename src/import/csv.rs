//! The message log as Twilio's Console and command line write tables. Their columns are not
//! documented, so they are known by what they are called, whatever their order, letter case, blanks
//! and underscores: `SentDate`, `Date Sent` and `date_sent` are one. Rows become the JSON of Twilio's
//! Message resource; columns of other names are kept under these.

use std::io::BufRead;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use serde_json::Value;

use super::bounded::Bounded;
use super::encoding::NOT_UTF_8;
use super::input::is_of_content;
use super::lines::{cut_off, too_long};
use super::table::{self, NotARow};
use super::{Each, ImportError, ROW_BYTES_MAX, Row, ours, values};

/// What the reader takes at a time, and so perhaps beyond the end of a row.
const BUFFER_BYTES: usize = 64 * 1024;

const NO_SID: &str = "this is taken for the header of a table, and has no column `Sid`";

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
    pub fn of_header(beginning: &[u8], delimiter: u8) -> Self {
        let mut rows = rows(beginning, delimiter);
        let mut record = ByteRecord::new();
        while let Ok(true) = rows.read_byte_record(&mut record) {
            if !table::is_blank(&record) && !table::states_delimiter(&record) {
                return Self::of_record(&record);
            }
        }
        Self(Vec::new())
    }

    fn of_record(header: &ByteRecord) -> Self {
        let mut columns: Vec<_> = header.iter().map(Column::of).collect();
        // What is behind the last name has no name either.
        while columns.pop_if(|column| column.header.is_none()).is_some() {}
        Self(columns)
    }

    /// Whether one of them holds this member.
    pub fn have(&self, member: &str) -> bool {
        self.0.iter().any(|have| have.member == member)
    }

    /// How many hold a member of the resource, or of what we write.
    pub fn known(&self) -> usize {
        let is_known = |column: &&Column| {
            MEMBERS.iter().any(|(member, _)| *member == column.member)
                || column.header.as_deref().is_some_and(ours::is_name)
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
    fn object(&self, row: &ByteRecord) -> Result<Vec<u8>, String> {
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
    fn unequal(&self, row: &ByteRecord) -> Option<String> {
        let (columns, header) = (row.len(), self.0.len());
        (columns < header).then(|| format!("{columns} columns where the header has {header}"))
    }
}

impl Column {
    fn of(name: &[u8]) -> Self {
        let name = String::from_utf8_lossy(name);
        let name = values::unwrapped(&name).0;
        let header = (!name.is_empty()).then(|| name.to_string());
        Self { member: member(&name), header }
    }
}

/// Gives every row as the JSON of a message.
pub fn each_row(
    name: &str,
    reader: &mut dyn BufRead,
    delimiter: u8,
    each: Each<'_>,
) -> Result<(), ImportError> {
    let (bounded, bound) = Bounded::new(reader);
    let mut rows = rows(bounded, delimiter);
    let mut header: Option<(Vec<String>, Columns)> = None;
    let mut row = ByteRecord::new();
    loop {
        bound.allow(ROW_BYTES_MAX + BUFFER_BYTES as u64);
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
                    let columns = Columns::of_record(&row);
                    if let Some(what) = ours::table(&columns.names()) {
                        return each(line, Err(what));
                    }
                    if !columns.have("sid") {
                        return each(line, Err(NO_SID.to_owned()));
                    }
                    header = Some((table::header_cells(&row), columns));
                }
                Some((header, columns)) => match columns.taken(&row, header) {
                    Ok(Ok(json)) => each(line, Ok(Row { json: &json, columns: Some(columns) }))?,
                    Ok(Err(why)) => each(line, Err(why))?,
                    Err(NotARow) => {}
                },
            },
            Err(error) => {
                let (line, why) = told(name, error, rows.position().line())?;
                return each(line, Err(why));
            }
        }
    }
}

impl Columns {
    /// The JSON of a row, or why there is none; [`NotARow`] for what stands between rows.
    fn taken(
        &self,
        row: &ByteRecord,
        header: &[String],
    ) -> Result<Result<Vec<u8>, String>, NotARow> {
        // Files that were joined repeat it.
        if table::is_header(row, header) {
            return Err(NotARow);
        }
        let is_stated = |member: &str, beginnings: &[&str]| {
            let at = self.0.iter().position(|column| column.member == member);
            let cell = at.and_then(|at| row.get(at)).unwrap_or_default();
            let cell = String::from_utf8_lossy(cell);
            let cell = values::unwrapped(&cell).0;
            !cell.is_empty() && beginnings.iter().any(|beginning| cell.starts_with(beginning))
        };
        let is_of_message = is_stated("sid", &["SM", "MM"]) || is_stated("status", &[""]);
        if !is_of_message && table::is_footer(row) {
            return Err(NotARow);
        }
        Ok(match self.unequal(row) {
            Some(why) => Err(why),
            None => self.object(row),
        })
    }
}

fn rows<R: std::io::Read>(from: R, delimiter: u8) -> Reader<R> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(from)
}

/// What is wrong in which line. There is nothing to read behind it.
fn told(name: &str, error: csv::Error, line: u64) -> Result<(u64, String), ImportError> {
    match error.into_kind() {
        ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            Ok((line, format!("a row {}; a quote may be missing", too_long(ROW_BYTES_MAX))))
        }
        ErrorKind::Io(error) if is_of_content(&error) => Ok((line, cut_off(&error))),
        ErrorKind::Io(source) => Err(ImportError::Read { name: name.to_owned(), source }),
        other => Ok((line, format!("it is no CSV: {other:?}"))),
    }
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
