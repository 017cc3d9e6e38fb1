//! Records of elsewhere become events: those of another ledger as they were received there, and what
//! Twilio itself has of messages: its lists, its BulkExport files, its Console's CSV.
//!
//! The input is read once, checked row by row and laid aside ([`gather`]); then it is held against the
//! log ([`Gathered::compare`]); only then is anything appended ([`Gathered::append`]).

mod append;
mod bounded;
mod compare;
mod csv;
mod date_range;
mod delimiter;
mod detect;
mod documents;
mod encoding;
mod event;
mod file_kind;
mod gather;
mod input;
mod lines;
mod manifest;
mod ours;
mod plausible;
mod refused;
mod resource;
mod spool;
mod table;
pub mod values;

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use self::csv::Columns;
pub use self::gather::{Gathered, ReadFile, gather};
pub use self::refused::InvalidReason;
use crate::domain::{AccountSid, Timestamp};
use crate::store::StoreError;

/// The names in the notes of imported events that tell where they come from.
pub mod note {
    /// The id of the ledger that received the event first, where that is known.
    pub const LEDGER: &str = "origin_ledger";
    /// The event's position there.
    pub const POSITION: &str = crate::domain::event::ORIGIN_POSITION;
    /// What kind of record of Twilio's it was: `rest`, `bulkexport` or `csv`.
    pub const FORMAT: &str = "origin_format";
    /// The name of the file it stood in.
    pub const FILE: &str = "origin_file";
    /// The line there, from 1.
    pub const LINE: &str = "origin_line";
    /// `removed` where the text of the message was left out.
    pub const CONTENT: &str = "content";
    /// What a spreadsheet had done to values, and was undone.
    pub const REPAIRED: &str = "repaired";
}

/// How long one row may be. A callback's body has 1 MiB at most, which JSON can write six times as
/// long, and its URL and headers are bounded by what the server reads of a request.
pub const ROW_BYTES_MAX: u64 = 8 << 20;

/// How long one JSON document with many rows may be. Twilio's pages have 1,000 messages at most.
pub const DOCUMENT_BYTES_MAX: u64 = 64 << 20;

/// What an input consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What `export events` writes as NDJSON.
    Events,
    /// Answers of Twilio's Messages resource: pages of a list, or single messages.
    Rest,
    /// One message a line, as Twilio's BulkExport writes them.
    Bulkexport,
    /// The message log as Twilio's Console exports it.
    Csv,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Events, Format::Rest, Format::Bulkexport, Format::Csv];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Events => "events",
            Format::Rest => "rest",
            Format::Bulkexport => "bulkexport",
            Format::Csv => "csv",
        }
    }
}

/// How an input is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// Nothing where each file tells by itself.
    pub format: Option<Format>,
    /// Whether the text of messages is kept.
    pub keep_content: bool,
    /// Whose messages are those that name no account.
    pub account_sid: Option<AccountSid>,
    /// When Twilio's records are read: they have no other time at which they reached us.
    pub now: Timestamp,
    /// Where rows are laid aside until all are checked.
    pub spool_folder: PathBuf,
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows there were, whatever they said.
    pub rows: u64,
    /// In the log now, or, in a dry run, what would be.
    pub appended: u64,
    /// Events that are in the log already, and records that say what is known.
    pub known: u64,
    /// Inbound messages, which are none of ours.
    pub inbound: u64,
    /// Rows and whole files that were refused.
    pub refused: u64,
    /// Those of them that are whole files.
    pub refused_files: u64,
}

/// Hears how far the work is, in its own unit; may end it.
pub type Tell<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// A row as it was read.
struct Row<'a> {
    json: &'a [u8],
    /// Which columns its members come from, in a table.
    columns: Option<&'a Columns>,
}

impl<'a> Row<'a> {
    fn of_json(json: &'a [u8]) -> Self {
        Self { json, columns: None }
    }
}

/// Takes the next row with its line, or why it cannot be taken.
type Each<'a> = &'a mut dyn FnMut(u64, Result<Row<'_>, String>) -> Result<(), ImportError>;

/// Why an import ended early.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot read {name}")]
    Read { name: String, source: io::Error },
    #[error("cannot lay rows aside in {}", folder.display())]
    Spool { folder: PathBuf, source: io::Error },
    #[error("stopped before the end was reached")]
    Stopped,
}
