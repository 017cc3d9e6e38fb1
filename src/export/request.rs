//! One export: which rows, in which format and as of when. The command, the HTTP interface and jobs write
//! it in the same way.

use super::columns::FlatColumn;
use super::csv::Csv;
use super::messages::Messages;
use super::ndjson::Ndjson;
#[cfg(feature = "parquet")]
use super::parquet;
use super::rows::{self, Output};
use super::text::Text;
#[cfg(feature = "xlsx")]
use super::xlsx;
use super::{Content, Encoder, ExportError, ExportProgress, ExportView, FileFormat};
use super::{PartWriter, Sink};
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
        let (content, tags) = (self.selection.content(), &self.tag_columns);
        let columns = content.columns();
        let mut from = Source { request: self, store, error_codes, progress };
        match self.format {
            FileFormat::Ndjson => from.write(&Ndjson::new(columns), Text(out)),
            FileFormat::Csv => {
                let csv = Csv::new(FlatColumn::all(columns, tags));
                out.write_all(&csv.header())?;
                from.write(&csv, Text(out))
            }
            #[cfg(feature = "parquet")]
            FileFormat::Parquet => {
                let columns = parquet::Columns(columns);
                from.write(&columns, parquet::Parquet::begin(&columns, out)?)
            }
            #[cfg(feature = "xlsx")]
            FileFormat::Xlsx => {
                let cells = xlsx::Cells::new(FlatColumn::all(columns, tags));
                from.write(&cells, xlsx::Xlsx::begin(content, &cells, out)?)
            }
        }
    }
}

/// What an export is made from, and who is informed of its progress.
struct Source<'a> {
    request: &'a ExportRequest,
    store: &'a dyn Store,
    error_codes: &'a ErrorCodes,
    progress: &'a mut dyn ExportProgress,
}

impl Source<'_> {
    fn write<E: Encoder>(
        &mut self,
        encoder: &E,
        writer: impl PartWriter<Part = E::Part>,
    ) -> Result<u64, ExportError> {
        let Self { request, store, error_codes, .. } = *self;
        let mut output = Output { writer, progress: self.progress };
        let count = match &request.selection {
            Selection::Messages(filter) => {
                Messages { store, filter, view: request.view, error_codes }
                    .write(encoder, &mut output)?
            }
            Selection::Events(filter) => {
                rows::events(store, filter, request.view, encoder, &mut output)?
            }
        };
        output.writer.finish()?;
        Ok(count)
    }
}
