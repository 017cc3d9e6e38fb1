//! Import of events from other ledgers, and of Twilio's own records of messages: its lists, its
//! BulkExport files, its Console's CSV.
//!
//! The input is read once, checked and staged ([`stage()`]), then compared with the log
//! ([`StagedImport::compare`]), and only then appended ([`StagedImport::append`]).

mod append;
mod compare;
mod event_checks;
mod exported_event;
mod formats;
mod input;
mod manifest;
mod message_record;
mod rejects;
mod spool;
mod stage;
pub mod values;

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

pub use self::formats::ImportFormat;
pub use self::rejects::RejectedRow;
pub use self::stage::{ReadFile, StagedImport, stage};
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

/// How an input is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// `None` if the format of each file is detected.
    pub format: Option<ImportFormat>,
    /// Whether the text of messages is kept.
    pub keep_content: bool,
    /// Whose messages are those that name no account.
    pub account_sid: Option<AccountSid>,
    /// When Twilio's records are read: they have no other time at which they reached us.
    pub now: Timestamp,
    /// The folder for the temporary file of staged rows.
    pub spool_folder: PathBuf,
}

/// Counts of rows by outcome.
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

/// Called with the progress, in the unit of the step; may stop it.
pub type ProgressFn<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// Why an import ended early.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot read {name}")]
    Read { name: String, source: io::Error },
    #[error("cannot write a temporary file in {}", folder.display())]
    Spool { folder: PathBuf, source: io::Error },
    #[error("stopped before the end was reached")]
    Stopped,
}
