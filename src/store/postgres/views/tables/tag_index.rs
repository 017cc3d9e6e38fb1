//! Reads and writes the index of tags; `codec::tag_index` says what is in it.

use std::collections::HashSet;

use smol_str::SmolStr;
use tokio_postgres::Row;

use crate::domain::message::tags::{IndexedTags, KNOWN_NAMES_MAX, Tags};
use crate::store::codec::tag_index::{added, hash};
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Tables;

/// The tags that the messages of a batch have gained.
pub struct TagWriter {
    indexed: IndexedTags,
    hashes: Vec<i64>,
    messages: Vec<i64>,
    /// Those names of tags that came first, each once, in order.
    names: Vec<SmolStr>,
    seen: HashSet<SmolStr>,
}

impl TagWriter {
    /// None so far; these tags are indexed.
    pub fn new(indexed: IndexedTags) -> Self {
        let (hashes, messages, names, seen) = Default::default();
        Self { indexed, hashes, messages, names, seen }
    }

    /// Adds the tags that a message did not have before. Entries of tags that it no longer keeps remain;
    /// lists look at the message itself.
    pub fn add(&mut self, id: u64, before: Option<&Tags>, tags: &Tags) {
        if tags.is_empty() || before == Some(tags) {
            return;
        }
        for (name, value) in added(before, tags) {
            if self.names.len() < KNOWN_NAMES_MAX && self.seen.insert(name.into()) {
                self.names.push(name.into());
            }
            if self.indexed.contains(name) {
                self.hashes.push(hash(name, value));
                self.messages.push(id as i64);
            }
        }
    }

    /// Writes them.
    pub fn write(&self, Tables { connection, schema, .. }: Tables<'_>) -> Result<(), Failure> {
        if !self.names.is_empty() {
            let names: Vec<_> = self.names.iter().map(|name| name.as_bytes()).collect();
            let sql = format!(
                "INSERT INTO {schema}.tag_names(name)
                 SELECT name FROM unnest($1::bytea[]) WITH ORDINALITY AS new(name, place)
                 WHERE NOT EXISTS (SELECT 1 FROM {schema}.tag_names AS known WHERE known.name = new.name)
                 ORDER BY place
                 LIMIT greatest(0, $2 - (SELECT count(*) FROM {schema}.tag_names))
                 ON CONFLICT DO NOTHING"
            );
            connection.execute(&sql, &[&names, &(KNOWN_NAMES_MAX as i64)])?;
        }
        if !self.hashes.is_empty() {
            let sql = format!(
                "INSERT INTO {schema}.tags(hash, message)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[])"
            );
            connection.execute(&sql, &[&self.hashes, &self.messages])?;
        }
        Ok(())
    }
}

/// The names of tags that messages have or had, in byte order; at most [`KNOWN_NAMES_MAX`].
pub fn names(tables: Tables<'_>) -> Result<Vec<String>, Failure> {
    let sql = format!("SELECT name FROM {}.tag_names ORDER BY name", tables.schema);
    let rows = tables.connection.query(&sql, &[])?;
    let name = |row: &Row| {
        String::from_utf8(row.try_get(0)?).map_err(|_| Failure::NotA("the name of a tag"))
    };
    rows.iter().map(name).collect()
}
