//! The input formats of an import: how each is recognised and read, row by row.

mod columns;
mod csv;
mod detect;
mod file_kind;
mod json_documents;
mod lines;
pub mod own_output;
mod table;

use self::columns::Columns;
pub use self::columns::member_of_json;
pub use self::detect::detect;
pub use self::file_kind::unsupported;
use super::ImportError;
use super::input::Input;

/// The maximum length of one row. A callback's body has at most 1 MiB, which JSON escapes can make six
/// times as long, and the server bounds its URL and headers.
pub const ROW_BYTES_MAX: u64 = 8 << 20;

/// The maximum length of one JSON document with many rows. Twilio's pages have at most 1,000 messages.
pub const DOCUMENT_BYTES_MAX: u64 = 64 << 20;

/// The format of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// The NDJSON of `export events`.
    Events,
    /// Responses of Twilio's Messages resource: pages of a list, or single messages.
    Rest,
    /// One message a line, as Twilio's BulkExport writes them.
    Bulkexport,
    /// The message log as Twilio's Console exports it.
    Csv,
}

impl ImportFormat {
    /// Every format.
    pub const ALL: [ImportFormat; 4] =
        [ImportFormat::Events, ImportFormat::Rest, ImportFormat::Bulkexport, ImportFormat::Csv];

    /// The name used in notes and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ImportFormat::Events => "events",
            ImportFormat::Rest => "rest",
            ImportFormat::Bulkexport => "bulkexport",
            ImportFormat::Csv => "csv",
        }
    }
}

/// A row as it was read.
pub struct Row<'a> {
    pub json: &'a [u8],
    /// The columns of its members, if it is from a table.
    pub columns: Option<&'a Columns>,
}

impl<'a> Row<'a> {
    fn from_json(json: &'a [u8]) -> Self {
        Self { json, columns: None }
    }
}

/// A function that receives the next row with its line, or the reason it is invalid.
pub type Each<'a> = &'a mut dyn FnMut(u64, Result<Row<'_>, String>) -> Result<(), ImportError>;

/// Reads an input as this format and passes each row on.
pub fn each_row(
    format: ImportFormat,
    name: &str,
    input: &mut Input,
    each: Each<'_>,
) -> Result<(), ImportError> {
    match format {
        ImportFormat::Events | ImportFormat::Bulkexport => {
            lines::each_line(name, &mut input.reader, each)
        }
        ImportFormat::Rest => json_documents::each_message(name, &mut input.reader, each),
        ImportFormat::Csv => {
            csv::each_row(name, &mut input.reader, columns::delimiter_of(&input.beginning), each)
        }
    }
}
