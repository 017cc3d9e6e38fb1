//! Export of messages and events, streamed in bounded memory.
//!
//! An export is pinned to a position of the log: repeated for the same position it gives the same
//! bytes, whatever has arrived since. It reads in short steps, so that it does not delay other
//! readers. Messages are read and encoded page by page on several threads, and written in order.

mod cell;
mod columns;
mod csv;
mod event_columns;
mod in_order;
pub mod manifest;
mod message_columns;
mod messages;
mod ndjson;
#[cfg(feature = "parquet")]
mod parquet;
mod request;
mod rows;
#[cfg(test)]
mod tests;
mod text;
#[cfg(feature = "xlsx")]
mod xlsx;

use std::io::{self, Write};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use self::columns::{Column, FlatColumn};
use self::csv::Csv;
pub use self::request::{ExportRequest, Selection};
use crate::domain::Position;
use crate::projection::message_query::BeyondHead;
use crate::store::StoreError;
use crate::wire;
use crate::wire::filter::tag_filter;

/// Where an export is written to. It is not generic, because the compiled writers of Parquet and of
/// spreadsheets are large.
pub type Sink<'w> = &'w mut (dyn Write + Send);

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Messages with their current state.
    Messages,
    /// Events of the log.
    Events,
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// One JSON object on each line.
    Ndjson,
    /// Comma-separated values (RFC 4180), with a header.
    Csv,
    /// Apache Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
    /// A spreadsheet, for Excel and others.
    #[cfg(feature = "xlsx")]
    Xlsx,
}

/// The position that an export is pinned to, and what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportView {
    /// The position that the export is pinned to.
    pub pin: Position,
    /// Whether addresses are shown with all but their last four digits hidden.
    pub masked: bool,
}

/// One row of an export.
#[derive(Debug, Clone, Copy)]
pub enum ExportRow<'a> {
    /// A message with its state at the export's position.
    Message(&'a wire::MessageRow<'a>),
    /// An event with the facts that it reports.
    Event(&'a wire::ShownEvent),
}

/// Is informed of the progress of an export. Nobody needs to be: `()` ignores it.
pub trait ExportProgress {
    /// These many rows are about to be written.
    fn rows(&mut self, _count: u64) {}

    /// A page was read: `read` of `all` messages or events, of which some may not match the filter.
    /// Breaks to end the export with [`ExportError::Stopped`].
    fn page(&mut self, _read: u64, _all: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl ExportProgress for () {}

/// Encodes rows. Threads share it, and each has a part of its own.
trait Encoder: Sync {
    /// Encoded rows that are not written yet.
    type Part: Default + Send + 'static;

    /// Adds a row to a part.
    fn row(&self, row: &ExportRow<'_>, part: &mut Self::Part);
}

/// Writes what was encoded.
trait PartWriter {
    /// Encoded rows.
    type Part;

    /// Writes the next part, which is empty then.
    fn write(&mut self, part: &mut Self::Part) -> Result<(), ExportError>;

    /// Writes what belongs behind the last row, and everything out.
    fn finish(self) -> Result<(), ExportError>;
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write the export")]
    Write(#[from] io::Error),
    #[error("a spreadsheet takes {0}; export as csv or parquet, or fewer rows")]
    Spreadsheet(&'static str),
    #[error(transparent)]
    BeyondHead(#[from] BeyondHead),
    #[error(
        "the views are being rebuilt and have not reached position {pin} again; try again later"
    )]
    Behind { pin: Position },
    #[error("the export was stopped")]
    Stopped,
}

impl Content {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Content::Messages => "messages",
            Content::Events => "events",
        }
    }

    fn columns(self) -> &'static [Column] {
        match self {
            Content::Messages => message_columns::MESSAGES,
            Content::Events => event_columns::EVENTS,
        }
    }
}

impl FileFormat {
    /// Every format that the program was built with.
    pub const ALL: &[FileFormat] = &[
        FileFormat::Ndjson,
        FileFormat::Csv,
        #[cfg(feature = "parquet")]
        FileFormat::Parquet,
        #[cfg(feature = "xlsx")]
        FileFormat::Xlsx,
    ];

    /// The word for it, which is also how its files end.
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::Ndjson => "ndjson",
            FileFormat::Csv => "csv",
            #[cfg(feature = "parquet")]
            FileFormat::Parquet => "parquet",
            #[cfg(feature = "xlsx")]
            FileFormat::Xlsx => "xlsx",
        }
    }

    /// Its media type (NDJSON and Parquet have none that is registered).
    pub fn media_type(self) -> &'static str {
        match self {
            FileFormat::Ndjson => "application/x-ndjson",
            FileFormat::Csv => "text/csv; charset=utf-8",
            #[cfg(feature = "parquet")]
            FileFormat::Parquet => "application/vnd.apache.parquet",
            #[cfg(feature = "xlsx")]
            FileFormat::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    /// Makes sure that the format can have a column for each of these tags, and that messages have them;
    /// `known` are the names of all tags.
    ///
    /// # Errors
    ///
    /// What is wrong, and what would be right.
    pub fn check_tag_columns(self, tags: &[String], known: &[String]) -> Result<(), String> {
        if self.has_all_tags() {
            return Err(format!("{} has all tags in `tags`; leave it out", self.name()));
        }
        if known.is_empty() {
            return Ok(());
        }
        let mut checked = tags.iter().map(|name| tag_filter::check(name, known));
        checked.try_for_each(|checked| checked.map_err(|bad| bad.to_string()))
    }

    /// True if it is not text, so that a terminal cannot show it.
    pub fn is_binary(self) -> bool {
        match self {
            FileFormat::Ndjson | FileFormat::Csv => false,
            #[cfg(feature = "parquet")]
            FileFormat::Parquet => true,
            #[cfg(feature = "xlsx")]
            FileFormat::Xlsx => true,
        }
    }

    /// True if all tags of a message are in one field; otherwise each needs a column.
    fn has_all_tags(self) -> bool {
        match self {
            FileFormat::Ndjson => true,
            FileFormat::Csv => false,
            #[cfg(feature = "parquet")]
            FileFormat::Parquet => true,
            #[cfg(feature = "xlsx")]
            FileFormat::Xlsx => false,
        }
    }
}

/// Writes rows that are in memory as CSV, with the columns of an export of this content.
pub fn write_csv<'r>(
    content: Content,
    rows: impl IntoIterator<Item = ExportRow<'r>>,
    out: Sink<'_>,
) -> Result<(), ExportError> {
    Csv::new(FlatColumn::all(content.columns(), &[])).write(rows, out)
}
