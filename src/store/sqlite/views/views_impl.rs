//! The implementation of [`Views`] for every set of views, by transactions on its tables.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use rusqlite::Connection;
use uuid::Uuid;

use crate::domain::hash::Hash;
use crate::domain::logged_error::LoggedErrors;
use crate::domain::message::filter::MessageFilter;
use crate::domain::message::message_ref::{MessageRef, WholeMessage};
use crate::domain::message::tags::IndexedTags;
use crate::domain::rollup::range::RollupRange;
use crate::domain::rollup::{Hour, Rollup, RollupKey};
use crate::domain::tree::RightEdge;
use crate::domain::{AccountSid, MessageKey, MessageSid, Rule};
use crate::store::list::list;
use crate::store::sqlite::files::{bounded_read, check};
use crate::store::sqlite::migrate::VIEW_TABLES;
use crate::store::sqlite::views::error::Failure;
use crate::store::sqlite::views::tables::list::ListedTables;
use crate::store::sqlite::views::tables::{
    Tables, logged_errors, rollups, silent_events, tag_index, write,
};
use crate::store::{
    Batch, Checked, Checkpoint, Message, MessagePage, SilentEvent, StoreError, Views,
};

/// How the tables of one set of views are read and written.
pub trait Transactions: Send + Sync {
    /// The ledger whose views these are.
    fn ledger_id(&self) -> Uuid;

    /// Reads one state of the tables.
    fn read<T>(
        &self,
        act: &str,
        read: impl FnOnce(&Tables<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError>;

    /// The same on the write connection, whose cache has the pages that are written next.
    fn read_to_write<T>(
        &self,
        act: &str,
        read: impl FnOnce(&Tables<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.read(act, read)
    }

    /// The tags that are indexed from the next reset on; `None` if they stay the same.
    fn indexed_tags(&self) -> Option<IndexedTags>;

    /// Writes to the tables, all or nothing.
    fn write<T>(
        &self,
        act: &str,
        write: impl FnOnce(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError>;

    /// Checks the tables.
    fn check_tables(
        &self,
        check: impl FnOnce(&Connection) -> Result<Checked, StoreError>,
    ) -> Result<Checked, StoreError>;
}

impl<V: Transactions> Views for V {
    fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.read("read the checkpoint", |tables| tables.checkpoint())
    }

    fn reset(&self, rule: Rule) -> Result<(), StoreError> {
        self.write("empty the views", |tables| {
            let so_far = || tables.checkpoint().ok().map(|checkpoint| checkpoint.indexed_tags);
            let indexed_tags = self.indexed_tags().or_else(so_far).unwrap_or(IndexedTags::All);
            for table in VIEW_TABLES {
                tables.connection.execute_batch(&format!("DELETE FROM {table}"))?;
            }
            if let Some(sids) = tables.sids {
                sids.take();
            }
            let start = Checkpoint {
                ledger_id: self.ledger_id(),
                generation: Uuid::now_v7(),
                rule,
                position: 0,
                event_id: None,
                tree: RightEdge::default(),
                first_real: 0,
                last_simulated: 0,
                indexed_tags,
            };
            Ok(write::checkpoint(tables, &start)?)
        })
    }

    fn load(&self, keys: &[&MessageKey]) -> Result<Vec<Option<Message>>, StoreError> {
        self.read_to_write("read messages from the views", |tables| {
            tables.messages(tables.checkpoint()?.rule)?.by_keys(keys)
        })
    }

    fn project(&self, batch: &Batch) -> Result<(), StoreError> {
        self.write("write to the views", |tables| {
            let (now, to) = (tables.checkpoint()?, &batch.to);
            let moved = now.position != batch.from || now.generation != to.generation;
            if moved || now.rule != to.rule {
                return Err(StoreError::CheckpointMoved.into());
            }
            Ok(write::batch(tables, batch)?)
        })
    }

    fn find(&self, message_sid: &MessageSid) -> Result<(Checkpoint, Vec<Message>), StoreError> {
        self.read("find a message in the views", |tables| {
            let checkpoint = tables.checkpoint()?;
            let messages = tables.messages_with(checkpoint.rule, message_sid)?;
            Ok((checkpoint, messages))
        })
    }

    fn page(&self, after: u64, limit: usize) -> Result<(Checkpoint, Vec<Message>), StoreError> {
        self.read("read messages from the views", |tables| {
            let checkpoint = tables.checkpoint()?;
            let messages = tables.page(checkpoint.rule, after, limit)?;
            Ok((checkpoint, messages))
        })
    }

    fn for_each_message(
        &self,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&MessageRef<'_>),
    ) -> Result<Checkpoint, StoreError> {
        self.read("read messages from the views", |tables| {
            tables.for_each_message(after, last, each)?;
            tables.checkpoint()
        })
    }

    fn for_each_whole_message(
        &self,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&WholeMessage<'_>) -> ControlFlow<()>,
    ) -> Result<Checkpoint, StoreError> {
        self.read("read messages from the views", |tables| {
            let checkpoint = tables.checkpoint()?;
            tables.for_each_whole_message(checkpoint.rule, after, last, each)?;
            Ok(checkpoint)
        })
    }

    fn list(
        &self,
        filter: &MessageFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<MessagePage, StoreError> {
        self.read("list messages of the views", |tables| {
            list(&ListedTables::new(*tables)?, filter, before, limit)
        })
    }

    fn sids_beginning_with(&self, text: &str, limit: usize) -> Result<Vec<MessageSid>, StoreError> {
        self.read("look up messages by the beginning of their SIDs", |tables| {
            tables.sids_beginning_with(text, limit)
        })
    }

    fn tag_names(&self) -> Result<Vec<String>, StoreError> {
        self.read("read the names of tags", |tables| tag_index::names(*tables))
    }

    fn accounts(&self) -> Result<Vec<AccountSid>, StoreError> {
        self.read("read the accounts of the views", |tables| Ok(tables.accounts()?.into_sids()))
    }

    fn count(&self) -> Result<u64, StoreError> {
        self.read("count the messages of the views", |tables| tables.last_id())
    }

    fn for_each_rollup(
        &self,
        ranges: &[RollupRange],
        each: &mut dyn FnMut(RollupKey<'_>, &Rollup),
    ) -> Result<Checkpoint, StoreError> {
        self.read("read the roll-ups of the views", |tables| {
            for range in ranges {
                rollups::for_each_rollup(*tables, range, each)?;
            }
            tables.checkpoint()
        })
    }

    fn rollup_hours(&self) -> Result<Option<(Hour, Hour)>, StoreError> {
        self.read("read the hours of the roll-ups", |tables| rollups::hours(*tables))
    }

    fn logged_errors(&self) -> Result<(Checkpoint, Vec<LoggedErrors>), StoreError> {
        self.read("read the errors that Twilio has logged", |tables| {
            Ok((tables.checkpoint()?, logged_errors::read(*tables)?))
        })
    }

    fn silent_events(
        &self,
        after: SilentEvent,
        last_message: u64,
        limit: usize,
    ) -> Result<Vec<SilentEvent>, StoreError> {
        self.read("read events that report nothing", |tables| {
            silent_events::read(*tables, after, last_message, limit)
        })
    }

    fn tree_nodes(
        &self,
        level: u8,
        indexes: Range<u64>,
    ) -> Result<BTreeMap<u64, Hash>, StoreError> {
        self.read("read the tree", |tables| tables.tree_nodes(level, &indexes))
    }

    fn check(&self) -> Result<Checked, StoreError> {
        self.check_tables(|connection| {
            check::views(connection, bounded_read::BEHIND_A_CHECK_BYTES_MAX)
        })
    }

    fn check_covers_lookups(&self) -> bool {
        true
    }
}
