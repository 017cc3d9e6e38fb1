//! Columns of the flat export formats, with the names and the order of the JSON.

use std::borrow::Cow;

use super::ExportRow;
use super::cell::Cell;
use crate::domain::Status;
use crate::wire::parameters::TAG_PREFIX;
use crate::wire::{MessageRow, ShownEvent};

/// What a column holds, in both flat formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Integer,
    Boolean,
    /// A moment in UTC, to the microsecond.
    Time,
    /// A list, as its members joined by blanks.
    List,
    /// A decimal number as text.
    Decimal,
    /// A status and a moment each: one cell in CSV, a column each in Parquet, whose name has this end.
    Times(&'static str),
    /// Names, each with its values: JSON in CSV, a map in Parquet.
    Tags,
    /// What has no flat form, as JSON.
    Json,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnKind,
    value: Value,
}

/// How the column's value is found in a row.
#[derive(Debug, Clone, Copy)]
enum Value {
    OfMessage(OfMessage),
    OfEvent(OfEvent),
}

/// The value of a column in a message.
pub type OfMessage = for<'r> fn(&'r MessageRow<'r>) -> Cell<'r>;

/// The value of a column in an event.
pub type OfEvent = for<'r> fn(&'r ShownEvent) -> Cell<'r>;

impl Column {
    /// A column of messages.
    pub const fn of_message(name: &'static str, kind: ColumnKind, value: OfMessage) -> Self {
        Self { name, kind, value: Value::OfMessage(value) }
    }

    /// A column of events.
    pub const fn of_event(name: &'static str, kind: ColumnKind, value: OfEvent) -> Self {
        Self { name, kind, value: Value::OfEvent(value) }
    }

    /// The column's value in a row.
    pub fn cell<'r>(&self, row: &ExportRow<'r>) -> Cell<'r> {
        match (self.value, row) {
            (Value::OfMessage(value), ExportRow::Message(message)) => value(message),
            (Value::OfEvent(value), ExportRow::Event(event)) => value(event),
            // Columns and rows are of the same content.
            _ => Cell::Empty,
        }
    }
}

/// A column of CSV and of spreadsheets.
pub enum FlatColumn {
    Field(Column),
    /// When a status was first reported.
    StatusTime(Status),
    /// The values of the tag with this name, in the column of tags.
    Tag(String, Column),
}

impl FlatColumn {
    /// The columns of this content: its fields, the time of each status if it has them, and a column for
    /// each of these tags.
    pub fn all(columns: &[Column], tags: &[String]) -> Vec<Self> {
        let has_times = columns.iter().any(|column| matches!(column.kind, ColumnKind::Times(_)));
        let times = Status::ALL.into_iter().filter(|_| has_times);
        let of_tags = columns.iter().find(|column| column.kind == ColumnKind::Tags);
        let tags = of_tags
            .into_iter()
            .flat_map(|column| tags.iter().map(move |name| FlatColumn::Tag(name.clone(), *column)));
        columns
            .iter()
            .map(|column| FlatColumn::Field(*column))
            .chain(times.map(FlatColumn::StatusTime))
            .chain(tags)
            .collect()
    }

    /// The column's name: that of its field, or such as `sent_at` or `tag.order`.
    pub fn name(&self) -> String {
        match self {
            FlatColumn::Field(column) => column.name.to_owned(),
            FlatColumn::StatusTime(status) => format!("{}_at", status.name()),
            FlatColumn::Tag(name, _) => format!("{TAG_PREFIX}{name}"),
        }
    }

    /// How the column's values are shown in a spreadsheet.
    #[cfg(feature = "xlsx")]
    pub fn kind(&self) -> ColumnKind {
        match self {
            FlatColumn::Field(column) => column.kind,
            FlatColumn::StatusTime(_) => ColumnKind::Time,
            FlatColumn::Tag(..) => ColumnKind::Text,
        }
    }

    /// The column's value in a row. Several values of a tag are joined by blanks.
    pub fn cell<'r>(&self, row: &ExportRow<'r>) -> Cell<'r> {
        match self {
            FlatColumn::Field(column) => column.cell(row),
            FlatColumn::StatusTime(status) => match row {
                ExportRow::Message(row) => {
                    Cell::time(row.message.state.status_times.first(*status))
                }
                ExportRow::Event(_) => Cell::Empty,
            },
            FlatColumn::Tag(name, column) => match column.cell(row) {
                Cell::Tags(pairs) => {
                    let of_name = pairs.iter().filter(|(other, _)| other == name);
                    let values: Vec<_> = of_name.map(|(_, value)| *value).collect();
                    match values.is_empty() {
                        true => Cell::Empty,
                        false => Cell::Text(Cow::Owned(values.join(" "))),
                    }
                }
                _ => Cell::Empty,
            },
        }
    }
}
