//! One export: which rows, in which format and as of when. The command, the HTTP interface and jobs write
//! it in the same way.

use super::rows::{self, Output};
use super::{Content, ExportError, ExportProgress, ExportView, FileFormat, Sink};
use crate::domain::ErrorCodes;
use crate::domain::event::filter::EventFilter;
use crate::domain::message::filter::MessageFilter;
use crate::store::Store;

/// The rows of an export, by a filter.
#[derive(Debug, Clone)]
pub enum Selection {
    /// The messages that match.
    Messages(MessageFilter),
    /// The events that match.
    Events(EventFilter),
}

/// An export that can be written.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The rows.
    pub selection: Selection,
    /// The format of the file.
    pub format: FileFormat,
    /// The position that it is pinned to, and whether addresses are masked.
    pub view: ExportView,
    /// Tags that get a column of their own.
    pub tag_columns: Vec<String>,
}

impl Selection {
    /// What the rows are.
    pub fn content(&self) -> Content {
        match self {
            Selection::Messages(_) => Content::Messages,
            Selection::Events(_) => Content::Events,
        }
    }
}

impl Selection {
    /// The filters by time, with their names and values in UTC.
    pub fn period(&self) -> impl Iterator<Item = (String, String)> {
        let (since, until) = match self {
            Selection::Messages(filter) => (filter.since, filter.until),
            Selection::Events(filter) => (filter.since, filter.until),
        };
        let given = [("since", since), ("until", until)].into_iter();
        given.filter_map(|(name, time)| Some((name.to_owned(), time?.to_string())))
    }
}

impl ExportRequest {
    /// The name of the file, such as `messages-74420.csv`.
    pub fn file_name(&self) -> String {
        format!("{}-{}.{}", self.selection.content().name(), self.view.pin, self.format.name())
    }

    /// Writes the whole export and returns its number of rows.
    pub fn write(
        &self,
        store: &dyn Store,
        error_codes: &ErrorCodes,
        out: Sink<'_>,
        progress: &mut dyn ExportProgress,
    ) -> Result<u64, ExportError> {
        let writer = self.format.begin(self.selection.content(), &self.tag_columns, out)?;
        let mut output = Output { writer, progress };
        let count = match &self.selection {
            Selection::Messages(filter) => {
                rows::messages(store, filter, self.view, error_codes, &mut output)?
            }
            Selection::Events(filter) => rows::events(store, filter, self.view, &mut output)?,
        };
        output.writer.finish()?;
        Ok(count)
    }
}
