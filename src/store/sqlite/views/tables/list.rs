//! Finds messages by the indexes of the views, for lists.

use std::cell::RefCell;

use rusqlite::params;

use crate::domain::message::filter::MessageFilter;
use crate::store::codec::address::ReversedAddress;
use crate::store::codec::flags::Flag;
use crate::store::list::{AddressColumn, Index, MessageIndexes, greatest};
use crate::store::sqlite::views::tables::Tables;
use crate::store::sqlite::views::tables::read::MessageReader;
use crate::store::sqlite::views::tables::tag_index;
use crate::store::{Checkpoint, Message};

/// The indexes, and the statements that read the messages that they find.
pub struct ListedTables<'c> {
    tables: Tables<'c>,
    /// Prepared once for a list, because it also reads the accounts, of which there may be thousands.
    reader: RefCell<MessageReader<'c>>,
}

impl<'c> ListedTables<'c> {
    /// Prepares the statements.
    pub fn new(tables: Tables<'c>) -> rusqlite::Result<Self> {
        let reader = RefCell::new(tables.messages(tables.checkpoint()?.rule)?);
        Ok(Self { tables, reader })
    }
}

impl MessageIndexes for ListedTables<'_> {
    type Error = rusqlite::Error;

    fn checkpoint(&self) -> rusqlite::Result<Checkpoint> {
        self.tables.checkpoint()
    }

    fn ids_below(&self, index: &Index, before: u64, limit: usize) -> rusqlite::Result<Vec<u64>> {
        match index {
            Index::All => {
                let sql = "SELECT id FROM messages WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
                let mut statement = self.tables.prepare(sql)?;
                statement.query_map(params![before, limit], |row| row.get(0))?.collect()
            }
            Index::With(flag) => with(self.tables, *flag, before, limit),
            Index::Without(flag) => without(self.tables, *flag, before, limit),
            Index::Tagged(hash) => tag_index::ids_below(self.tables, *hash, before, limit),
            Index::Address(column, addresses) => {
                by_address(self.tables, *column, addresses, before, limit)
            }
        }
    }

    fn addresses_ending_with(
        &self,
        column: AddressColumn,
        end: &ReversedAddress,
        limit: usize,
    ) -> rusqlite::Result<Vec<ReversedAddress>> {
        // From one address to the next, without reading the entries in between.
        let (name, index) = (column.name(), column.index());
        let mut statement = self.tables.prepare(&format!(
            "SELECT {name}
             FROM messages INDEXED BY {index}
             WHERE {name} > ?1
             ORDER BY {name}
             LIMIT 1"
        ))?;
        let (mut addresses, mut after) = (Vec::new(), end.clone());
        while addresses.len() < limit {
            let mut next = statement.query([&after[..]])?;
            let Some(row) = next.next()? else { break };
            let address = ReversedAddress::from_slice(row.get_ref(0)?.as_blob()?);
            if !address.starts_with(end) {
                break;
            }
            after.clone_from(&address);
            addresses.push(address);
        }
        Ok(addresses)
    }

    fn matching(
        &self,
        _: &Checkpoint,
        ids: &[u64],
        filter: &MessageFilter,
        limit: usize,
    ) -> rusqlite::Result<Vec<Message>> {
        let mut reader = self.reader.borrow_mut();
        let mut messages = Vec::new();
        for id in ids {
            if messages.len() == limit {
                break;
            }
            if reader.matches(*id, filter)? {
                messages.push(reader.by_id(*id)?);
            }
        }
        Ok(messages)
    }
}

/// The greatest ids below one of messages with one of these addresses.
fn by_address(
    tables: Tables<'_>,
    column: AddressColumn,
    addresses: &[ReversedAddress],
    before: u64,
    limit: usize,
) -> rusqlite::Result<Vec<u64>> {
    let (name, index) = (column.name(), column.index());
    let mut statement = tables.prepare(&format!(
        "SELECT id
         FROM messages INDEXED BY {index}
         WHERE {name} = ?1 AND id < ?2
         ORDER BY id DESC
         LIMIT ?3"
    ))?;
    let mut found = Vec::new();
    for address in addresses {
        let rows = statement.query_map(params![&address[..], before, limit], |row| row.get(0))?;
        for id in rows {
            found.push(id?);
        }
    }
    Ok(greatest(found, limit))
}

/// The greatest ids below one that have a flag.
fn with(tables: Tables<'_>, flag: Flag, before: u64, limit: usize) -> rusqlite::Result<Vec<u64>> {
    let mut statement = tables.prepare(&format!("{} LIMIT ?2", select_with(flag)))?;
    statement.query_map(params![before, limit], |row| row.get(0))?.collect()
}

/// The greatest ids below one that do not have a flag. Ids are dense, so these are the gaps between the
/// messages that have it, and a long run of those is passed without reading any of them.
fn without(
    tables: Tables<'_>,
    flag: Flag,
    before: u64,
    limit: usize,
) -> rusqlite::Result<Vec<u64>> {
    let mut next = before.min(tables.last_id()? + 1);
    let mut statement = tables.prepare(&select_with(flag))?;
    let mut flagged = statement.query(params![next])?;
    let mut found = Vec::with_capacity(limit);
    while found.len() < limit {
        let skipped = flagged.next()?.map_or(Ok(0), |row| row.get::<_, u64>(0))?;
        while next > skipped + 1 && found.len() < limit {
            next -= 1;
            found.push(next);
        }
        if skipped == 0 {
            break;
        }
        next = next.min(skipped);
    }
    Ok(found)
}

/// A partial index is only used by a query that repeats its condition.
fn select_with(flag: Flag) -> String {
    format!(
        "SELECT id
         FROM messages INDEXED BY {}
         WHERE flags & {} AND id < ?1
         ORDER BY id DESC",
        flag.index(),
        flag as u8
    )
}
