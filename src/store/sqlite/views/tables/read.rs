//! Reads the tables of one set of views, within a transaction that the caller holds.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use rusqlite::{CachedStatement, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::domain::hash::Hash;
use crate::domain::message::filter::MessageFilter;
use crate::domain::message::message_ref::{MessageRef, WholeMessage};
use crate::domain::tree::RightEdge;
use crate::domain::{MessageKey, MessageSid, Rule};
use crate::store::codec::address::AddressBuffers;
use crate::store::codec::message::RowBuffers;
use crate::store::codec::sid::{pack_sid, packed_range, unpack_sid};
use crate::store::codec::tag_index;
use crate::store::sqlite::views::tables::message_row::{self, COLUMNS, REF_COLUMNS};
use crate::store::sqlite::views::tables::sid_table::SidTable;
use crate::store::sqlite::views::tables::{Accounts, Tables, damaged};
use crate::store::{Checkpoint, Message};

/// Statements that read messages, prepared once for all of them.
pub struct MessageReader<'c> {
    tables: Tables<'c>,
    rule: Rule,
    accounts: Accounts,
    row: CachedStatement<'c>,
    message_ref: CachedStatement<'c>,
    buffers: AddressBuffers,
}

impl<'c> Tables<'c> {
    /// The checkpoint of these tables.
    pub fn checkpoint(&self) -> rusqlite::Result<Checkpoint> {
        let mut statement = self.prepare(
            "SELECT ledger_id, generation, rule, position, event_id, right_edge, first_real, last_simulated,
                    indexed_tags
             FROM checkpoint",
        )?;
        statement.query_row([], |row| {
            let event_id: Option<Vec<u8>> = row.get(4)?;
            let position = row.get(3)?;
            Ok(Checkpoint {
                ledger_id: uuid_column(row, 0)?,
                generation: uuid_column(row, 1)?,
                rule: Rule::parse(&row.get::<_, String>(2)?).ok_or_else(|| damaged(2, "a rule"))?,
                position,
                event_id: event_id.map(|_| uuid_column(row, 4)).transpose()?,
                tree: right_edge(position, row.get_ref(5)?.as_blob()?)
                    .ok_or_else(|| damaged(5, "the right edge of the tree"))?,
                first_real: row.get(6)?,
                last_simulated: row.get(7)?,
                indexed_tags: tag_index::from_column(row.get_ref(8)?.as_str_or_null()?)
                    .ok_or_else(|| damaged(8, "the names of tags"))?,
            })
        })
    }

    /// The stored nodes of the tree with this level and these indexes.
    pub fn tree_nodes(
        &self,
        level: u8,
        indexes: &Range<u64>,
    ) -> rusqlite::Result<BTreeMap<u64, Hash>> {
        let mut statement = self.prepare(
            "SELECT idx, hash
             FROM tree_nodes
             WHERE level = ?1 AND idx >= ?2 AND idx < ?3",
        )?;
        let nodes = statement.query_map(params![level, indexes.start, indexes.end], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        nodes.collect()
    }

    /// Reads messages that were folded by this rule.
    pub fn messages(&self, rule: Rule) -> rusqlite::Result<MessageReader<'c>> {
        let by_id =
            |columns| self.prepare(&format!("SELECT {columns} FROM messages WHERE id = ?1"));
        Ok(MessageReader {
            tables: *self,
            rule,
            accounts: self.accounts()?,
            row: by_id(COLUMNS)?,
            message_ref: by_id(REF_COLUMNS)?,
            buffers: AddressBuffers::default(),
        })
    }

    /// Every message with this SID, in order of first arrival.
    pub fn messages_with(&self, rule: Rule, sid: &MessageSid) -> rusqlite::Result<Vec<Message>> {
        let mut statement = self.prepare(
            "SELECT id
             FROM messages INDEXED BY messages_by_sid
             WHERE sid = ?1
             ORDER BY id",
        )?;
        let ids = statement.query_map([&pack_sid(sid)[..]], |row| row.get(0))?;
        let ids = ids.collect::<rusqlite::Result<Vec<u64>>>()?;
        let mut reader = self.messages(rule)?;
        ids.into_iter().map(|id| reader.by_id(id)).collect()
    }

    /// At most `limit` SIDs that begin with this text, in order.
    pub fn sids_beginning_with(
        &self,
        text: &str,
        limit: usize,
    ) -> rusqlite::Result<Vec<MessageSid>> {
        let Some((first, last)) = packed_range(text) else { return Ok(Vec::new()) };
        let mut statement = self.prepare(
            "SELECT DISTINCT sid
             FROM messages INDEXED BY messages_by_sid
             WHERE sid BETWEEN ?1 AND ?2
             ORDER BY sid
             LIMIT ?3",
        )?;
        let sids = statement.query_map(params![&first[..], &last[..], limit], |row| {
            unpack_sid(row.get_ref(0)?.as_blob()?).ok_or_else(|| damaged(0, "a SID"))
        })?;
        sids.collect()
    }

    /// At most `limit` messages after an id.
    pub fn page(&self, rule: Rule, after: u64, limit: usize) -> rusqlite::Result<Vec<Message>> {
        // Ids are dense, so a range of ids is a page.
        let last = after.saturating_add(limit as u64).min(i64::MAX as u64);
        let accounts = self.accounts()?;
        let mut statement = self.prepare(&format!(
            "SELECT {COLUMNS}
             FROM messages
             WHERE id > ?1 AND id <= ?2
             ORDER BY id"
        ))?;
        let mut buffers = AddressBuffers::default();
        let rows = statement.query_map([after, last], |row| {
            message_row::from_row(row, rule, &mut buffers, |number| accounts.sid(number))
        })?;
        rows.collect()
    }

    /// Lends each message with an id after one and up to another.
    pub fn for_each_message(
        &self,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&MessageRef<'_>),
    ) -> rusqlite::Result<()> {
        let (accounts, mut buffers) = (self.accounts()?, AddressBuffers::default());
        self.for_each_row(REF_COLUMNS, after, last, &mut |row| {
            let account_sid = accounts.sid_ref(row.get(0)?)?;
            each(&message_row::message_ref(row, account_sid, &mut buffers)?);
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Lends each message with an id after one and up to another, with everything that is shown of it, until
    /// `each` breaks.
    pub fn for_each_whole_message(
        &self,
        rule: Rule,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&WholeMessage<'_>) -> ControlFlow<()>,
    ) -> rusqlite::Result<()> {
        let (accounts, mut buffers) = (self.accounts()?, RowBuffers::default());
        self.for_each_row(COLUMNS, after, last, &mut |row| {
            Ok(each(&message_row::whole_message(row, rule, &accounts, &mut buffers)?))
        })
    }

    /// Lends these columns of each message with an id after one and up to another, until `each` breaks.
    fn for_each_row(
        &self,
        columns: &str,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<ControlFlow<()>>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.prepare(&format!(
            "SELECT {columns}
             FROM messages
             WHERE id > ?1 AND id <= ?2
             ORDER BY id"
        ))?;
        let mut rows = statement.query([after, last])?;
        while let Some(row) = rows.next()? {
            if each(row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The last id, which is also the number of messages.
    pub fn last_id(&self) -> rusqlite::Result<u64> {
        self.prepare("SELECT coalesce(max(id), 0) FROM messages")?.query_row([], |row| row.get(0))
    }
}

impl MessageReader<'_> {
    /// These messages, in the order asked for; `None` for each that does not exist.
    pub fn by_keys(&mut self, keys: &[&MessageKey]) -> rusqlite::Result<Vec<Option<Message>>> {
        match self.tables.sids {
            Some(sids) => keys.iter().map(|key| self.by_table(key, &sids.borrow())).collect(),
            None => self.by_index(keys),
        }
    }

    fn by_table(&mut self, key: &MessageKey, sids: &SidTable) -> rusqlite::Result<Option<Message>> {
        let Some(account) = self.accounts.number(key.account_sid.as_ref()) else { return Ok(None) };
        for id in sids.ids(&pack_sid(&key.message_sid), account) {
            let message = self.by_id(id)?;
            if message.key == *key {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Looks messages up in the order of the index: neighbours share a page, and a large index is not
    /// in memory.
    fn by_index(&mut self, keys: &[&MessageKey]) -> rusqlite::Result<Vec<Option<Message>>> {
        let (mut wanted, mut messages) = (Vec::new(), Vec::new());
        for (place, MessageKey { account_sid, message_sid }) in keys.iter().enumerate() {
            messages.push(None);
            if let Some(account) = self.accounts.number(account_sid.as_ref()) {
                wanted.push(((pack_sid(message_sid), account), place));
            }
        }
        wanted.sort_unstable();
        let mut statement = self.tables.prepare(
            "SELECT id
             FROM messages INDEXED BY messages_by_sid
             WHERE sid = ?1 AND account = ?2",
        )?;
        for ((sid, account), place) in wanted {
            let id = statement.query_row(params![&sid[..], account], |row| row.get(0));
            messages[place] = id.optional()?.map(|id| self.by_id(id)).transpose()?;
        }
        Ok(messages)
    }

    /// Whether the filter matches the message with this id.
    pub fn matches(&mut self, id: u64, filter: &MessageFilter) -> rusqlite::Result<bool> {
        let Self { message_ref, accounts, buffers, .. } = self;
        message_ref.query_row([id], |row| {
            let account_sid = accounts.sid_ref(row.get(0)?)?;
            Ok(filter.matches(&message_row::message_ref(row, account_sid, buffers)?))
        })
    }

    /// The message with this id.
    pub fn by_id(&mut self, id: u64) -> rusqlite::Result<Message> {
        let Self { row, rule, accounts, buffers, .. } = self;
        row.query_row([id], |row| {
            message_row::from_row(row, *rule, buffers, |number| accounts.sid(number))
        })
    }
}

/// The right edge of a tree of this size, from its hashes one after the other.
fn right_edge(size: u64, hashes: &[u8]) -> Option<RightEdge> {
    let (hashes, rest) = hashes.as_chunks::<{ size_of::<Hash>() }>();
    rest.is_empty().then(|| RightEdge::new(size, hashes.to_vec())).flatten()
}

fn uuid_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Uuid> {
    let bytes: Vec<u8> = row.get(index)?;
    Uuid::from_slice(&bytes).map_err(|_| damaged(index, "a UUID"))
}
