//! Encoder of NDJSON: one JSON object per line.

use super::columns::Column;
use super::{Encoder, ExportRow};

/// Encodes rows as lines of JSON: that of [`Message`](crate::wire::Message) and
/// [`ShownEvent`](crate::wire::ShownEvent). Messages are written by their columns, which have the names and the
/// order of the JSON.
pub struct Ndjson {
    columns: Vec<(String, Column)>,
}

impl Ndjson {
    /// With these columns, if rows are messages.
    pub fn new(columns: &[Column]) -> Self {
        let named = columns.iter().enumerate().map(|(place, column)| {
            let before = if place == 0 { '{' } else { ',' };
            (format!("{before}\"{}\":", column.name), *column)
        });
        Self { columns: named.collect() }
    }
}

impl Encoder for Ndjson {
    type Part = Vec<u8>;

    fn row(&self, row: &ExportRow<'_>, part: &mut Vec<u8>) {
        match row {
            ExportRow::Message(_) => {
                for (name, column) in &self.columns {
                    part.extend_from_slice(name.as_bytes());
                    column.cell(row).push_json(part);
                }
                part.push(b'}');
            }
            ExportRow::Event(event) => {
                serde_json::to_writer(&mut *part, event).expect("an event is JSON");
            }
        }
        part.push(b'\n');
    }
}
