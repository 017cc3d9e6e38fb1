//! Columns of the flat export formats, with the names and the order of the JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::domain::Status;
use crate::wire::parameters::TAG_PREFIX;

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
}

/// Of messages, in the order in which `audit` shows their fields.
pub const MESSAGES: &[Column] = &[
    column("message_sid", ColumnKind::Text),
    column("status", ColumnKind::Text),
    column("terminal", ColumnKind::Boolean),
    column("settled", ColumnKind::Boolean),
    column("conflict", ColumnKind::Boolean),
    column("rule", ColumnKind::Text),
    column("account_sid", ColumnKind::Text),
    column("messaging_service_sid", ColumnKind::Text),
    column("from", ColumnKind::Text),
    column("to", ColumnKind::Text),
    column("channel", ColumnKind::Text),
    column("error_code", ColumnKind::Integer),
    column("error_title", ColumnKind::Text),
    column("error_codes", ColumnKind::List),
    column("raw_dlr_done_date", ColumnKind::Text),
    column("first_received_at", ColumnKind::Time),
    column("last_received_at", ColumnKind::Time),
    column("status_times", ColumnKind::Times("_at")),
    column("events", ColumnKind::Integer),
    column("duplicates", ColumnKind::Integer),
    column("late", ColumnKind::Integer),
    column("unrecognised", ColumnKind::Integer),
    column("as_of_position", ColumnKind::Integer),
    column("labels", ColumnKind::List),
    column("tags", ColumnKind::Tags),
    column("tags_dropped", ColumnKind::Boolean),
    column("country", ColumnKind::Text),
    column("time_to_sent_ms", ColumnKind::Integer),
    column("sent_to_delivered_ms", ColumnKind::Integer),
    column("occurred_times", ColumnKind::Times("_occurred_at")),
    column("occurred_at", ColumnKind::Time),
    column("segments", ColumnKind::Integer),
    column("price", ColumnKind::Decimal),
    column("currency", ColumnKind::Text),
    column("mcc", ColumnKind::Text),
    column("mnc", ColumnKind::Text),
    column("carrier", ColumnKind::Text),
    column("clicks", ColumnKind::Integer),
    column("first_clicked_at", ColumnKind::Time),
    column("previews", ColumnKind::Integer),
    column("feedback", ColumnKind::Text),
];

/// Of events. As in the JSON, `body` or `body_base64` is empty; `message`, `content` and `erased_by` are
/// empty unless the event is erased. The last six are what the event reports of its message.
pub const EVENTS: &[Column] = &[
    column("position", ColumnKind::Integer),
    column("event_id", ColumnKind::Text),
    column("received_at", ColumnKind::Time),
    column("source", ColumnKind::Text),
    column("method", ColumnKind::Text),
    column("url", ColumnKind::Text),
    column("headers", ColumnKind::Json),
    column("body", ColumnKind::Text),
    column("body_base64", ColumnKind::Text),
    column("account_sid", ColumnKind::Text),
    column("message_sid", ColumnKind::Text),
    column("verified_by", ColumnKind::Text),
    column("notes", ColumnKind::Json),
    column("salt", ColumnKind::Text),
    column("message", ColumnKind::Text),
    column("content", ColumnKind::Text),
    column("erased_by", ColumnKind::Integer),
    column("status", ColumnKind::Text),
    column("error_code", ColumnKind::Integer),
    column("from", ColumnKind::Text),
    column("to", ColumnKind::Text),
    column("tags", ColumnKind::Tags),
    column("occurred_at", ColumnKind::Time),
];

const fn column(name: &'static str, kind: ColumnKind) -> Column {
    Column { name, kind }
}

impl Column {
    /// The column's value in a row as text; `None` if it is null or missing.
    pub fn text<'r>(&self, row: &'r Map<String, Value>) -> Option<Cow<'r, str>> {
        let value = row.get(self.name).filter(|value| !value.is_null())?;
        Some(match (self.kind, value) {
            (ColumnKind::Json | ColumnKind::Tags, value) => Cow::Owned(value.to_string()),
            (_, Value::Array(members)) => joined(members.iter().map(plain)),
            (_, Value::Object(pairs)) => {
                joined(pairs.iter().map(|(name, value)| format!("{name}={}", plain(value)).into()))
            }
            (_, value) => plain(value),
        })
    }
}

/// A column of CSV and of spreadsheets.
pub enum FlatColumn {
    Field(Column),
    /// When a status was first reported.
    StatusTime(Status),
    /// The values of the tag with this name.
    Tag(String),
}

impl FlatColumn {
    /// The columns of this content: its fields, the time of each status if it has them, and a column for
    /// each of these tags.
    pub fn all(columns: &[Column], tags: &[String]) -> Vec<Self> {
        let has_times = columns.iter().any(|column| matches!(column.kind, ColumnKind::Times(_)));
        let times = Status::ALL.into_iter().filter(|_| has_times);
        columns
            .iter()
            .map(|column| FlatColumn::Field(*column))
            .chain(times.map(FlatColumn::StatusTime))
            .chain(tags.iter().cloned().map(FlatColumn::Tag))
            .collect()
    }

    /// The column's name: that of its field, or such as `sent_at` or `tag.order`.
    pub fn name(&self) -> String {
        match self {
            FlatColumn::Field(column) => column.name.to_owned(),
            FlatColumn::StatusTime(status) => format!("{}_at", status.name()),
            FlatColumn::Tag(name) => format!("{TAG_PREFIX}{name}"),
        }
    }

    /// How the column's values are shown in a spreadsheet.
    #[cfg(feature = "xlsx")]
    pub fn kind(&self) -> ColumnKind {
        match self {
            FlatColumn::Field(column) => column.kind,
            FlatColumn::StatusTime(_) => ColumnKind::Time,
            FlatColumn::Tag(_) => ColumnKind::Text,
        }
    }

    /// The column's value in a row as text; `None` if it is null or missing. Several values of a tag are
    /// joined by blanks.
    pub fn text<'r>(&self, row: &'r Map<String, Value>) -> Option<Cow<'r, str>> {
        match self {
            FlatColumn::Field(column) => column.text(row),
            FlatColumn::StatusTime(status) => {
                row.get("status_times")?.get(status.name())?.as_str().map(Cow::Borrowed)
            }
            FlatColumn::Tag(name) => {
                let values = row.get("tags")?.get(name)?.as_array()?;
                Some(joined(values.iter().map(plain)))
            }
        }
    }
}

fn joined<'v>(parts: impl Iterator<Item = Cow<'v, str>>) -> Cow<'v, str> {
    Cow::Owned(parts.collect::<Vec<_>>().join(" "))
}

fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}
