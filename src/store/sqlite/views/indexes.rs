//! Compares the indexes of the views with their tables.
//!
//! SQLite's integrity check looks each row up in each index, which takes longer than the rest of it. Here every index
//! is read once, in its order. It is complete if its entries rise, and if their number and the sum of their hashes are
//! those of the table's rows: a search then finds in it what the table has.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use rusqlite::{Connection, Row};

use crate::store::codec::flags::Flag;

/// The columns of an index, with the row's number at the end: at most one of text, then those of numbers.
type Entry<'a> = (Option<&'a [u8]>, [i64; 3]);

/// The number of entries, and the sum of their hashes, in any order. The hashes have a random key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Entries {
    count: u64,
    sum: u64,
}

impl Entries {
    fn add(&mut self, hasher: &RandomState, entry: Entry<'_>) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hasher.hash_one(entry));
    }
}

/// True if each index has exactly the entries that belong to its table.
pub fn are_complete(connection: &Connection) -> rusqlite::Result<bool> {
    let hasher = RandomState::default();
    Ok(are_complete_for_messages(connection, &hasher)?
        && is_complete_for_tags(connection, &hasher)?)
}

fn are_complete_for_messages(
    connection: &Connection,
    hasher: &RandomState,
) -> rusqlite::Result<bool> {
    let (mut by_sid, mut by_recipient, mut by_sender) = Default::default();
    let mut by_flag = Flag::ALL.map(|flag| (flag, Entries::default()));
    let mut statement = connection
        .prepare("SELECT id, account, sid, recipient, sender, flags FROM messages NOT INDEXED")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, account, flags): (_, _, i64) = (row.get(0)?, row.get(1)?, row.get(5)?);
        Entries::add(&mut by_sid, hasher, (text(row, 2)?, [account, id, 0]));
        Entries::add(&mut by_recipient, hasher, (text(row, 3)?, [id, 0, 0]));
        Entries::add(&mut by_sender, hasher, (text(row, 4)?, [id, 0, 0]));
        for (flag, entries) in &mut by_flag {
            if flags & *flag as i64 != 0 {
                entries.add(hasher, (None, [id, 0, 0]));
            }
        }
    }
    let by_flag = by_flag.map(|(flag, entries)| {
        let condition = format!("INDEXED BY {} WHERE flags & {}", flag.index(), flag as i64);
        (format!("SELECT NULL, id, 0, 0 FROM messages {condition} ORDER BY id"), entries)
    });
    let by_columns = [
        (
            "SELECT sid, account, id, 0 FROM messages INDEXED BY messages_by_sid ORDER BY sid, account",
            by_sid,
        ),
        (
            "SELECT recipient, id, 0, 0 FROM messages INDEXED BY messages_by_recipient ORDER BY recipient",
            by_recipient,
        ),
        (
            "SELECT sender, id, 0, 0 FROM messages INDEXED BY messages_by_sender ORDER BY sender",
            by_sender,
        ),
    ];
    let by_columns = by_columns.map(|(sql, entries)| (sql.to_owned(), entries));
    for (sql, expected) in by_flag.into_iter().chain(by_columns) {
        if read(connection, hasher, &sql)? != Some(expected) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_complete_for_tags(connection: &Connection, hasher: &RandomState) -> rusqlite::Result<bool> {
    let mut expected = Entries::default();
    let mut statement =
        connection.prepare("SELECT NULL, hash, message, rowid FROM tags NOT INDEXED")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        expected.add(hasher, entry(row)?);
    }
    let sql = "SELECT NULL, hash, message, rowid FROM tags INDEXED BY tags_by_hash ORDER BY hash, message";
    Ok(read(connection, hasher, sql)? == Some(expected))
}

/// The entries of an index in its order; `None` if they do not rise.
fn read(
    connection: &Connection,
    hasher: &RandomState,
    sql: &str,
) -> rusqlite::Result<Option<Entries>> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut entries = Entries::default();
    let (mut last_text, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let (text, numbers) = entry(row)?;
        let before = last.map(|(has_text, numbers): (bool, _)| {
            (has_text.then_some(last_text.as_slice()), numbers)
        });
        if before.is_some_and(|before| before >= (text, numbers)) {
            return Ok(None);
        }
        entries.add(hasher, (text, numbers));
        last_text.clear();
        last_text.extend_from_slice(text.unwrap_or_default());
        last = Some((text.is_some(), numbers));
    }
    Ok(Some(entries))
}

fn entry<'r>(row: &'r Row<'_>) -> rusqlite::Result<Entry<'r>> {
    Ok((text(row, 0)?, [row.get(1)?, row.get(2)?, row.get(3)?]))
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<Option<&'r [u8]>> {
    Ok(row.get_ref(column)?.as_blob_or_null()?)
}
