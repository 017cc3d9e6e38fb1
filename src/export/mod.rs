//! Export of messages and events, streamed in bounded memory.
//!
//! An export is pinned to a position of the log: repeated for the same position it gives the same
//! bytes, whatever has arrived since. It reads in short steps, so that it does not delay other
//! readers.

mod columns;
mod csv;
pub mod manifest;
mod ndjson;
mod parquet;
mod xlsx;

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::columns::FlatColumn;
use crate::domain::event_filter::EventFilter;
use crate::domain::message::filter::MessageFilter;
use crate::domain::message::message_ref::MessageRef;
use crate::domain::{ErrorCodes, Position};
use crate::projection::message_query::BeyondHead;
use crate::projection::throttle::{self, Throttle};
use crate::projection::{self, fold::fold};
use crate::store::{EventPages, Message, Store, StoreError};
use crate::wire::{self, mask, tag_filter};

/// How many rows are in memory at a time.
const PAGE_ROWS: usize = 1000;

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Messages,
    Events,
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    Ndjson,
    Csv,
    Parquet,
    Xlsx,
}

/// As of when, and for whose eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportView {
    /// The position that the export is pinned to.
    pub pin: Position,
    /// Whether addresses are shown with all but their last four digits hidden.
    pub masked: bool,
}

/// One row of an export.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ExportRow {
    Message(Box<wire::Message>),
    Event(Box<wire::ShownEvent>),
}

/// What rows are written to.
pub trait RowWriter {
    /// Writes the next row.
    fn row(&mut self, row: &ExportRow) -> Result<(), ExportError>;

    /// Writes what belongs behind the last row, and everything out.
    fn finish(self: Box<Self>) -> Result<(), ExportError>;
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
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
}

impl Content {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Content::Messages => "messages",
            Content::Events => "events",
        }
    }
}

impl FileFormat {
    /// Every format there is.
    pub const ALL: [FileFormat; 4] =
        [FileFormat::Ndjson, FileFormat::Csv, FileFormat::Parquet, FileFormat::Xlsx];

    /// The word for it, which is also how its files end.
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::Ndjson => "ndjson",
            FileFormat::Csv => "csv",
            FileFormat::Parquet => "parquet",
            FileFormat::Xlsx => "xlsx",
        }
    }

    /// Its media type (NDJSON and Parquet have none that is registered).
    pub fn media_type(self) -> &'static str {
        match self {
            FileFormat::Ndjson => "application/x-ndjson",
            FileFormat::Csv => "text/csv; charset=utf-8",
            FileFormat::Parquet => "application/vnd.apache.parquet",
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
        if !matches!(self, FileFormat::Csv | FileFormat::Xlsx) {
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
        matches!(self, FileFormat::Parquet | FileFormat::Xlsx)
    }

    /// Begins to write rows of this content, with a column for each of these tags if the format has such
    /// columns.
    pub fn begin<'w, W: Write + Send + 'w>(
        self,
        content: Content,
        tag_columns: &[String],
        out: W,
    ) -> Result<Box<dyn RowWriter + 'w>, ExportError> {
        let columns = match content {
            Content::Messages => columns::MESSAGES,
            Content::Events => columns::EVENTS,
        };
        Ok(match self {
            FileFormat::Ndjson => Box::new(ndjson::Ndjson(out)),
            FileFormat::Csv => {
                Box::new(csv::Csv::begin(FlatColumn::all(columns, tag_columns), out)?)
            }
            FileFormat::Parquet => Box::new(parquet::Parquet::begin(columns, out)?),
            FileFormat::Xlsx => {
                let columns = FlatColumn::all(columns, tag_columns);
                Box::new(xlsx::Xlsx::begin(content, columns, out)?)
            }
        })
    }
}

impl ExportRow {
    fn as_object(&self) -> Result<Map<String, Value>, ExportError> {
        match serde_json::to_value(self).map_err(io::Error::from)? {
            Value::Object(object) => Ok(object),
            other => Err(io::Error::other(format!("a row that is no object: {other}")).into()),
        }
    }
}

/// Every event up to the pin that is asked for, every field of it, the body byte for byte.
/// Returns how many there were.
pub fn events(
    store: &dyn Store,
    filter: &EventFilter,
    ExportView { pin, masked }: ExportView,
    each: &mut dyn FnMut(wire::ShownEvent) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    throttle::lower_priority(throttle::NICE);
    refuse_beyond_head(store, pin)?;
    let mut callbacks = Throttle::begin(store)?;
    let mut count = 0;
    for events in EventPages::new(store, 1..=pin) {
        for event in events? {
            let reading = projection::read(&event);
            if filter.matches(reading.with_event(&event)) {
                let account_sid = reading.account_sid.map(Cow::into_owned);
                let message_sid = reading.message_sid.map(Cow::into_owned);
                let reported = reading.reported;
                let reported = reported.as_ref();
                each(wire::ShownEvent::new(event, account_sid, message_sid, reported, masked))?;
                count += 1;
            }
        }
        callbacks.pause(store)?;
    }
    Ok(count)
}

/// Every message that is asked for as it stood at the pin, in order of first arrival. Returns how
/// many there were.
///
/// The views may have read on: a message that began behind the pin is left out, and one that had
/// later events is folded again from those up to the pin.
pub fn messages(
    store: &dyn Store,
    filter: &MessageFilter,
    ExportView { pin, masked }: ExportView,
    error_codes: &ErrorCodes,
    each: &mut dyn FnMut(wire::Message) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    throttle::lower_priority(throttle::NICE);
    refuse_beyond_head(store, pin)?;
    let mut callbacks = Throttle::begin(store)?;
    let (mut after, mut count) = (0, 0);
    loop {
        callbacks.pause(store)?;
        let (checkpoint, messages) = store.views().page(after, PAGE_ROWS)?;
        if checkpoint.position < pin {
            return Err(ExportError::Behind { pin });
        }
        let Some(last) = messages.last() else { return Ok(count) };
        after = last.id;
        for message in messages {
            let Some(message) = as_of(store, message, pin)? else { return Ok(count) };
            if filter.matches(&MessageRef::new(&message.key, &message.lifecycle)) {
                let row = wire::Message::new(&message.key, &message.lifecycle, pin, error_codes);
                each(if masked { mask::message(row) } else { row })?;
                count += 1;
            }
        }
    }
}

/// The message as it was at the pin; `None` if it began later, as did all that follow.
fn as_of(
    store: &dyn Store,
    message: Message,
    pin: Position,
) -> Result<Option<Message>, StoreError> {
    let positions = message.lifecycle.history.iter().map(|trace| trace.position);
    let up_to_pin: Vec<_> = positions.filter(|position| *position <= pin).collect();
    if up_to_pin.len() == message.lifecycle.history.len() {
        return Ok(Some(message));
    }
    if up_to_pin.is_empty() {
        return Ok(None);
    }
    let rule = message.lifecycle.evidence.rule;
    let folded = fold(rule, &message.key, store.read_at(&up_to_pin)?);
    Ok(folded.map(|folded| Message { lifecycle: folded.lifecycle, ..message }))
}

fn refuse_beyond_head(store: &dyn Store, pin: Position) -> Result<(), ExportError> {
    match store.head()? {
        head if pin > head => Err(BeyondHead { asked_for: pin, head }.into()),
        _ => Ok(()),
    }
}
