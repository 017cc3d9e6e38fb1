//! Reads the tables of one set of views, within a transaction that the caller holds.

use std::collections::{BTreeMap, HashMap};
use std::ops::{ControlFlow, Range};

use tokio_postgres::Row;

use crate::domain::hash::Hash;
use crate::domain::message::message_ref::{MessageRef, WholeMessage};
use crate::domain::tree::RightEdge;
use crate::domain::{MessageKey, MessageSid, Rule};
use crate::store::codec::address::AddressBuffers;
use crate::store::codec::message::RowBuffers;
use crate::store::codec::sid::{pack_sid, packed_range, unpack_sid};
use crate::store::codec::tag_index;
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Tables;
use crate::store::postgres::views::tables::message_row::{self, COLUMNS, REF_COLUMNS};
use crate::store::{Checkpoint, Message};

/// The columns of a checkpoint, as [`checkpoint_of`] reads them.
pub const CHECKPOINT: &str = "ledger_id, generation, rule, position, event_id, right_edge, first_real, \
                              last_simulated, indexed_tags";

/// A checkpoint from a row of [`CHECKPOINT`].
pub fn checkpoint_of(row: &Row) -> Result<Checkpoint, Failure> {
    let number = |column| Ok::<_, Failure>(row.try_get::<_, i64>(column)? as u64);
    let position = number(3)?;
    Ok(Checkpoint {
        ledger_id: row.try_get(0)?,
        generation: row.try_get(1)?,
        rule: Rule::parse(row.try_get(2)?).ok_or(Failure::NotA("a rule"))?,
        position,
        event_id: row.try_get(4)?,
        tree: right_edge(position, row.try_get(5)?)
            .ok_or(Failure::NotA("the right edge of the tree"))?,
        first_real: number(6)?,
        last_simulated: number(7)?,
        indexed_tags: tag_index::from_column(row.try_get(8)?)
            .ok_or(Failure::NotA("the names of tags"))?,
    })
}

impl Tables<'_> {
    /// The checkpoint of these tables.
    pub fn checkpoint(&self) -> Result<Checkpoint, Failure> {
        let sql = format!("SELECT {CHECKPOINT} FROM projections WHERE views = $1");
        let row = self.connection.query_opt(&sql, &[&self.schema])?;
        checkpoint_of(&row.ok_or(Failure::NotA("a set of views"))?)
    }

    /// The stored nodes of the tree with this level and these indexes.
    pub fn tree_nodes(
        &self,
        level: u8,
        indexes: &Range<u64>,
    ) -> Result<BTreeMap<u64, Hash>, Failure> {
        let sql = format!(
            "SELECT idx, hash
             FROM {}.tree_nodes
             WHERE level = $1 AND idx >= $2 AND idx < $3",
            self.schema
        );
        let bound = |index: u64| i64::try_from(index).unwrap_or(i64::MAX);
        let (start, end) = (bound(indexes.start), bound(indexes.end));
        let rows = self.connection.query(&sql, &[&i16::from(level), &start, &end])?;
        let node = |row: &Row| {
            let hash: &[u8] = row.try_get(1)?;
            let hash = hash.try_into().map_err(|_| Failure::NotA("a hash"))?;
            Ok((row.try_get::<_, i64>(0)? as u64, hash))
        };
        rows.iter().map(node).collect()
    }

    /// These messages, in the order asked for; `None` for each that does not exist.
    pub fn by_keys(
        &self,
        rule: Rule,
        keys: &[&MessageKey],
    ) -> Result<Vec<Option<Message>>, Failure> {
        let accounts = self.accounts()?;
        let (mut sids, mut numbers, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (place, MessageKey { account_sid, message_sid }) in keys.iter().enumerate() {
            if let Some(account) = accounts.number(account_sid.as_ref()) {
                sids.push(pack_sid(message_sid).to_vec());
                numbers.push(account);
                places.push(place as i32);
            }
        }
        let mut messages = vec![None; keys.len()];
        if places.is_empty() {
            return Ok(messages);
        }
        let sql = format!(
            "SELECT {COLUMNS}, place
             FROM unnest($1::bytea[], $2::integer[], $3::integer[]) AS wanted(sid, account, place)
               JOIN {}.messages USING (sid, account)",
            self.schema
        );
        let mut buffers = AddressBuffers::default();
        for row in self.connection.query(&sql, &[&sids, &numbers, &places])? {
            let place = row.try_get::<_, i32>(8)? as usize;
            messages[place] = Some(message_row::from_row(&row, rule, &mut buffers, &accounts)?);
        }
        Ok(messages)
    }

    /// Every message with this SID, in order of first arrival.
    pub fn messages_with(&self, rule: Rule, sid: &MessageSid) -> Result<Vec<Message>, Failure> {
        let condition = format!("FROM {}.messages WHERE sid = $1 ORDER BY id", self.schema);
        self.messages(rule, &condition, &[&&pack_sid(sid)[..]])
    }

    /// At most `limit` SIDs that begin with this text, in order.
    pub fn sids_beginning_with(
        &self,
        text: &str,
        limit: usize,
    ) -> Result<Vec<MessageSid>, Failure> {
        let Some((first, last)) = packed_range(text) else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT DISTINCT sid
             FROM {}.messages
             WHERE sid BETWEEN $1 AND $2
             ORDER BY sid
             LIMIT $3",
            self.schema
        );
        let rows = self.connection.query(&sql, &[&&first[..], &&last[..], &(limit as i64)])?;
        let sid = |row: &Row| unpack_sid(row.try_get(0)?).ok_or(Failure::NotA("a SID"));
        rows.iter().map(sid).collect()
    }

    /// At most `limit` messages after an id.
    pub fn page(&self, rule: Rule, after: u64, limit: usize) -> Result<Vec<Message>, Failure> {
        // Ids are dense, so a range of ids is a page.
        let last = after.saturating_add(limit as u64).min(i64::MAX as u64);
        let condition =
            format!("FROM {}.messages WHERE id > $1 AND id <= $2 ORDER BY id", self.schema);
        self.messages(rule, &condition, &[&(after as i64), &(last as i64)])
    }

    /// The messages with these ids, by id.
    pub fn by_ids(&self, rule: Rule, ids: &[u64]) -> Result<HashMap<u64, Message>, Failure> {
        let ids: Vec<_> = ids.iter().map(|id| *id as i64).collect();
        let condition = format!("FROM {}.messages WHERE id = ANY($1)", self.schema);
        let messages = self.messages(rule, &condition, &[&ids])?;
        Ok(messages.into_iter().map(|message| (message.id, message)).collect())
    }

    fn messages(
        &self,
        rule: Rule,
        condition: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Message>, Failure> {
        let accounts = self.accounts()?;
        let mut buffers = AddressBuffers::default();
        let rows = self.connection.query(&format!("SELECT {COLUMNS} {condition}"), parameters)?;
        rows.iter().map(|row| message_row::from_row(row, rule, &mut buffers, &accounts)).collect()
    }

    /// Lends each message with an id after one and up to another.
    pub fn for_each_message(
        &self,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&MessageRef<'_>),
    ) -> Result<(), Failure> {
        let (accounts, mut buffers) = (self.accounts()?, AddressBuffers::default());
        self.for_each_row(REF_COLUMNS, after, last, &mut |row| {
            let account_sid = accounts.sid_ref(row.try_get(0)?)?;
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
    ) -> Result<(), Failure> {
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
        each: &mut dyn FnMut(&Row) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<(), Failure> {
        let sql = format!(
            "SELECT {columns}
             FROM {}.messages
             WHERE id > $1 AND id <= $2
             ORDER BY id",
            self.schema
        );
        let bound = |id: u64| i64::try_from(id).unwrap_or(i64::MAX);
        self.connection.for_each_row(&sql, &[&bound(after), &bound(last)], each)
    }

    /// The last id, which is also the number of messages.
    pub fn last_id(&self) -> Result<u64, Failure> {
        let sql = format!("SELECT coalesce(max(id), 0) FROM {}.messages", self.schema);
        Ok(self.connection.query_one(&sql, &[])?.try_get::<_, i64>(0)? as u64)
    }
}

/// The right edge of a tree of this size, from its hashes one after the other.
fn right_edge(size: u64, hashes: &[u8]) -> Option<RightEdge> {
    let (hashes, rest) = hashes.as_chunks::<{ size_of::<Hash>() }>();
    rest.is_empty().then(|| RightEdge::new(size, hashes.to_vec())).flatten()
}
