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
pub use crate::domain::event::note;
use crate::domain::{AccountSid, Timestamp};
use crate::store::StoreError;

/// The options of an import.
#[derive(Debug, Clone)]
pub struct Options {
    /// `None` if the format of each file is detected.
    pub format: Option<ImportFormat>,
    /// True if the text of messages is stored.
    pub keep_content: bool,
    /// The account of messages that name none.
    pub account_sid: Option<AccountSid>,
    /// The time of receipt of Twilio's records, which have no other.
    pub now: Timestamp,
    /// The folder for the temporary file of staged rows.
    pub spool_folder: PathBuf,
}

/// Counts of rows by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All rows.
    pub rows: u64,
    /// Rows that were appended, or would be in a dry run.
    pub appended: u64,
    /// Events that are already in the log, and records that add no fact.
    pub known: u64,
    /// Inbound messages, which are not imported.
    pub inbound: u64,
    /// Rejected rows and whole files.
    pub rejected: u64,
    /// Rejected whole files.
    pub rejected_files: u64,
}

/// Called with the progress, in the unit of the step; may stop it.
pub type ProgressFn<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// The reason an import ended early.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
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
