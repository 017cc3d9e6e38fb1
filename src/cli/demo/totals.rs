//! The number of the demo's messages and events by status.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal::styled::Styled;
use crate::store::Store;
use crate::wire::status_name::status_name;

/// One row per status, and one for all messages.
pub struct Totals(Vec<(&'static str, Row)>);

#[derive(Default, Clone, Copy)]
struct Row {
    messages: u64,
    events: u64,
    late: u64,
    duplicates: u64,
    conflicts: u64,
}

impl Totals {
    /// Counts every message in the views.
    pub fn of(store: &dyn Store) -> Result<Self> {
        let mut rows = BTreeMap::<_, Row>::new();
        let mut total = Row::default();
        let mut after = 0;
        while let (_, messages) = store.views().page(after, 1000)?
            && let Some(last) = messages.last()
        {
            after = last.id;
            for lifecycle in messages.iter().map(|message| &message.lifecycle) {
                for row in [rows.entry(lifecycle.evidence.status()).or_default(), &mut total] {
                    row.messages += 1;
                    row.events += lifecycle.counts.events;
                    row.late += lifecycle.counts.late;
                    row.duplicates += lifecycle.counts.duplicates;
                    row.conflicts += u64::from(lifecycle.evidence.has_conflict());
                }
            }
        }
        let named = rows.into_iter().map(|(status, row)| (status_name(status), row));
        Ok(Self(named.chain([("all", total)]).collect()))
    }

    /// The number of all messages.
    pub fn messages(&self) -> u64 {
        self.0.last().map_or(0, |(_, all)| all.messages)
    }

    /// As a table for a screen with this many columns.
    pub fn for_people(&self, screen_columns: Option<usize>) -> Styled {
        let counts = ["messages", "events", "late", "duplicates", "conflicts"];
        let columns = counts.into_iter().map(Column::right);
        let mut shown = Table::new([Column::left("status")].into_iter().chain(columns));
        for (name, row) in &self.0 {
            let name = if *name == "all" { Cell::text(name) } else { Cell::status(name) };
            let numbers = [row.messages, row.events, row.late, row.duplicates, row.conflicts];
            shown.row([name].into_iter().chain(numbers.into_iter().map(Cell::number)));
        }
        shown.fit(screen_columns)
    }

    /// As JSON.
    pub fn as_json(&self) -> Value {
        let row = |(name, row): &(&'static str, Row)| {
            json!({
                "status": name,
                "messages": row.messages,
                "events": row.events,
                "late": row.late,
                "duplicates": row.duplicates,
                "conflicts": row.conflicts,
            })
        };
        self.0.iter().map(row).collect()
    }
}
