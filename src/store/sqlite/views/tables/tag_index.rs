//! Reads and writes the index of tags; `codec::tag_index` says what is in it.

use std::collections::HashSet;

use rusqlite::{CachedStatement, params};
use smol_str::SmolStr;

use crate::domain::message::tags::{IndexedTags, KNOWN_NAMES_MAX, Tags};
use crate::store::codec::tag_index::{added, hash};
use crate::store::sqlite::views::tables::Tables;

/// Statements that write the tags of messages.
pub struct TagWriter<'c> {
    indexed: IndexedTags,
    insert: CachedStatement<'c>,
    insert_name: CachedStatement<'c>,
    /// Names that this writer has written.
    names: HashSet<SmolStr>,
}

impl<'c> TagWriter<'c> {
    /// Prepares the statements; these tags are indexed.
    pub fn new(tables: Tables<'c>, indexed: IndexedTags) -> rusqlite::Result<Self> {
        Ok(Self {
            indexed,
            insert: tables.prepare("INSERT INTO tags(hash, message) VALUES (?1, ?2)")?,
            insert_name: tables.prepare(
                "INSERT OR IGNORE INTO tag_names(name)
                 SELECT ?1 WHERE (SELECT count(*) FROM tag_names) < ?2",
            )?,
            names: HashSet::new(),
        })
    }

    /// Adds the tags that a message did not have before. Entries of tags that it no longer keeps remain;
    /// lists look at the message itself.
    pub fn write(&mut self, id: u64, before: Option<&Tags>, tags: &Tags) -> rusqlite::Result<()> {
        if tags.is_empty() || before == Some(tags) {
            return Ok(());
        }
        for (name, value) in added(before, tags) {
            if self.names.len() < KNOWN_NAMES_MAX && self.names.insert(name.into()) {
                self.insert_name.execute(params![name, KNOWN_NAMES_MAX])?;
            }
            if self.indexed.contains(name) {
                self.insert.execute(params![hash(name, value), id])?;
            }
        }
        Ok(())
    }
}

/// The greatest ids below one of messages that have, or once had, a tag with this hash.
pub fn ids_below(
    tables: Tables<'_>,
    hash: i64,
    before: u64,
    at_most: usize,
) -> rusqlite::Result<Vec<u64>> {
    let mut statement = tables.prepare(
        "SELECT message
         FROM tags INDEXED BY tags_by_hash
         WHERE hash = ?1 AND message < ?2
         ORDER BY message DESC
         LIMIT ?3",
    )?;
    statement.query_map(params![hash, before, at_most], |row| row.get(0))?.collect()
}

/// The names of tags that messages have or had, in byte order; at most [`KNOWN_NAMES_MAX`].
pub fn names(tables: Tables<'_>) -> rusqlite::Result<Vec<String>> {
    let mut statement = tables.prepare("SELECT name FROM tag_names ORDER BY name")?;
    statement.query_map([], |row| row.get(0))?.collect()
}
