//! Columns of the flat export formats, with the names and the order of the JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

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
    /// A status and the moment of its first arrival each: one cell in CSV, a column each in Parquet.
    Times,
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
    column("status_times", ColumnKind::Times),
    column("events", ColumnKind::Integer),
    column("duplicates", ColumnKind::Integer),
    column("late", ColumnKind::Integer),
    column("unrecognised", ColumnKind::Integer),
    column("as_of_position", ColumnKind::Integer),
    column("labels", ColumnKind::List),
    column("tags", ColumnKind::Json),
    column("tags_dropped", ColumnKind::Boolean),
];

/// Of events. As in the JSON, `body` or `body_base64` is empty, and the last three are empty unless the
/// event is erased.
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
];

const fn column(name: &'static str, kind: ColumnKind) -> Column {
    Column { name, kind }
}

impl Column {
    /// The column's value in a row as text; `None` if it is null or missing.
    pub fn text<'r>(&self, row: &'r Map<String, Value>) -> Option<Cow<'r, str>> {
        let value = row.get(self.name).filter(|value| !value.is_null())?;
        Some(match (self.kind, value) {
            (ColumnKind::Json, value) => Cow::Owned(value.to_string()),
            (_, Value::Array(members)) => joined(members.iter().map(plain)),
            (_, Value::Object(pairs)) => {
                joined(pairs.iter().map(|(name, value)| format!("{name}={}", plain(value)).into()))
            }
            (_, value) => plain(value),
        })
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
