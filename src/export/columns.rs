//! The columns of flat exports, by the names and in the order of the JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What a column holds, in both flat formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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
    pub kind: Kind,
}

/// Of messages, in the order in which `audit` shows their fields.
pub const MESSAGES: &[Column] = &[
    column("message_sid", Kind::Text),
    column("status", Kind::Text),
    column("terminal", Kind::Boolean),
    column("settled", Kind::Boolean),
    column("conflict", Kind::Boolean),
    column("rule", Kind::Text),
    column("account_sid", Kind::Text),
    column("messaging_service_sid", Kind::Text),
    column("from", Kind::Text),
    column("to", Kind::Text),
    column("channel", Kind::Text),
    column("error_code", Kind::Integer),
    column("error_title", Kind::Text),
    column("error_codes", Kind::List),
    column("raw_dlr_done_date", Kind::Text),
    column("first_received_at", Kind::Time),
    column("last_received_at", Kind::Time),
    column("status_times", Kind::Times),
    column("events", Kind::Integer),
    column("duplicates", Kind::Integer),
    column("late", Kind::Integer),
    column("unrecognised", Kind::Integer),
    column("as_of_position", Kind::Integer),
    column("labels", Kind::List),
];

/// Of events. Of `body` and `body_base64` one is empty, as one is missing in the JSON.
pub const EVENTS: &[Column] = &[
    column("position", Kind::Integer),
    column("event_id", Kind::Text),
    column("received_at", Kind::Time),
    column("source", Kind::Text),
    column("method", Kind::Text),
    column("url", Kind::Text),
    column("headers", Kind::Json),
    column("body", Kind::Text),
    column("body_base64", Kind::Text),
    column("account_sid", Kind::Text),
    column("message_sid", Kind::Text),
    column("verified_by", Kind::Text),
    column("notes", Kind::Json),
];

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

impl Column {
    /// The column's value in a row as text; nothing where it is null or missing.
    pub fn text<'r>(&self, row: &'r Map<String, Value>) -> Option<Cow<'r, str>> {
        let value = row.get(self.name).filter(|value| !value.is_null())?;
        Some(match (self.kind, value) {
            (Kind::Json, value) => Cow::Owned(value.to_string()),
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
