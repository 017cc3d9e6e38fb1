//! The implementation of [`Views`] for every set of views, by transactions on its tables.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Deref, Range};

use uuid::Uuid;

use crate::domain::hash::Hash;
use crate::domain::logged_error::LoggedErrors;
use crate::domain::message::filter::MessageFilter;
use crate::domain::message::message_ref::{MessageRef, WholeMessage};
use crate::domain::message::tags::IndexedTags;
use crate::domain::rollup::range::RollupRange;
use crate::domain::rollup::{Hour, Rollup, RollupKey};
use crate::domain::{AccountSid, MessageKey, MessageSid, Rule};
use crate::store::list::list;
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::check;
use crate::store::postgres::views::tables::{
    Tables, logged_errors, rollups, silent_events, tag_index, write,
};
use crate::store::{
    Batch, Checked, Checkpoint, Message, MessagePage, SilentEvent, StoreError, Views,
};

/// Begins a transaction that writes. No standby can have the views without their events: those are earlier in
/// the same stream.
pub const BEGIN_WRITING: &str = "BEGIN; SET LOCAL synchronous_commit = off";

/// How the tables of one set of views are read and written.
pub trait Transactions: Send + Sync {
    /// The ledger whose views these are.
    fn ledger_id(&self) -> Uuid;

    /// Reads one state of the tables. It may be read twice, if the views were just replaced.
    fn read<T>(
        &self,
        act: &str,
        read: &mut dyn FnMut(&Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError>;

    /// The tags that are indexed from the next reset on; `None` if they stay the same.
    fn indexed_tags(&self) -> Option<IndexedTags>;

    /// The tags that are indexed after the next reset.
    fn tags_to_index(&self, tables: &Tables<'_>) -> IndexedTags {
        let so_far = || tables.checkpoint().ok().map(|checkpoint| checkpoint.indexed_tags);
        self.indexed_tags().or_else(so_far).unwrap_or(IndexedTags::All)
    }

    /// Notes the generation whose checkpoint was read.
    fn note_examined(&self, _generation: Uuid) {}

    /// False only if it is known that there is no such message, without asking the server.
    fn may_have(&self, _key: &MessageKey) -> bool {
        true
    }

    /// Notes the messages of a batch that was written.
    fn note_written(&self, _batch: &Batch) {}

    /// Forgets everything, at once for readers, and begins a new generation by this rule.
    fn empty(&self, act: &str, rule: Rule) -> Result<(), StoreError>;

    /// Writes to the tables, all or nothing.
    fn write<T>(
        &self,
        act: &str,
        write: &mut dyn FnMut(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError>;
}

/// Views that are read and written by transactions on their tables.
pub struct InTables<V>(pub V);

impl<V> Deref for InTables<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0
    }
}

impl<V: Transactions> Views for InTables<V> {
    fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let checkpoint = self.read("read the checkpoint", &mut |tables| tables.checkpoint())?;
        self.note_examined(checkpoint.generation);
        Ok(checkpoint)
    }

    fn reset(&self, rule: Rule) -> Result<(), StoreError> {
        self.empty("empty the views", rule)
    }

    fn load(&self, keys: &[&MessageKey]) -> Result<Vec<Option<Message>>, StoreError> {
        let asked: Vec<_> = (0..keys.len()).filter(|place| self.may_have(keys[*place])).collect();
        let asked_keys: Vec<_> = asked.iter().map(|place| keys[*place]).collect();
        let found = self.read("read messages from the views", &mut |tables| {
            tables.by_keys(tables.checkpoint()?.rule, &asked_keys)
        })?;
        let mut messages = vec![None; keys.len()];
        asked.into_iter().zip(found).for_each(|(place, message)| messages[place] = message);
        Ok(messages)
    }

    fn project(&self, batch: &Batch) -> Result<(), StoreError> {
        self.write("write to the views", &mut |tables| {
            let (now, to) = (tables.checkpoint()?, &batch.to);
            let moved = now.position != batch.from || now.generation != to.generation;
            if moved || now.rule != to.rule {
                return Err(StoreError::CheckpointMoved.into());
            }
            write::batch(tables, batch)
        })?;
        self.note_written(batch);
        Ok(())
    }

    fn find(&self, message_sid: &MessageSid) -> Result<(Checkpoint, Vec<Message>), StoreError> {
        self.read("find a message in the views", &mut |tables| {
            let checkpoint = tables.checkpoint()?;
            let messages = tables.messages_with(checkpoint.rule, message_sid)?;
            Ok((checkpoint, messages))
        })
    }

    fn page(&self, after: u64, limit: usize) -> Result<(Checkpoint, Vec<Message>), StoreError> {
        self.read("read messages from the views", &mut |tables| {
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
        self.read("read messages from the views", &mut |tables| {
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
        self.read("read messages from the views", &mut |tables| {
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
        self.read("list messages of the views", &mut |tables| list(tables, filter, before, limit))
    }

    fn sids_beginning_with(&self, text: &str, limit: usize) -> Result<Vec<MessageSid>, StoreError> {
        self.read("look up messages by the beginning of their SIDs", &mut |tables| {
            tables.sids_beginning_with(text, limit)
        })
    }

    fn tag_names(&self) -> Result<Vec<String>, StoreError> {
        self.read("read the names of tags", &mut |tables| tag_index::names(*tables))
    }

    fn accounts(&self) -> Result<Vec<AccountSid>, StoreError> {
        self.read("read the accounts of the views", &mut |tables| {
            Ok(tables.accounts()?.into_sids())
        })
    }

    fn count(&self) -> Result<u64, StoreError> {
        self.read("count the messages of the views", &mut |tables| tables.last_id())
    }

    fn for_each_rollup(
        &self,
        ranges: &[RollupRange],
        each: &mut dyn FnMut(RollupKey<'_>, &Rollup),
    ) -> Result<Checkpoint, StoreError> {
        self.read("read the roll-ups of the views", &mut |tables| {
            for range in ranges {
                rollups::for_each_rollup(*tables, range, each)?;
            }
            tables.checkpoint()
        })
    }

    fn rollup_hours(&self) -> Result<Option<(Hour, Hour)>, StoreError> {
        self.read("read the hours of the roll-ups", &mut |tables| rollups::hours(*tables))
    }

    fn logged_errors(&self) -> Result<(Checkpoint, Vec<LoggedErrors>), StoreError> {
        self.read("read the errors that Twilio has logged", &mut |tables| {
            Ok((tables.checkpoint()?, logged_errors::read(*tables)?))
        })
    }

    fn silent_events(
        &self,
        after: SilentEvent,
        last_message: u64,
        limit: usize,
    ) -> Result<Vec<SilentEvent>, StoreError> {
        self.read("read events that report nothing", &mut |tables| {
            silent_events::read(*tables, after, last_message, limit)
        })
    }

    fn tree_nodes(
        &self,
        level: u8,
        indexes: Range<u64>,
    ) -> Result<BTreeMap<u64, Hash>, StoreError> {
        self.read("read the tree", &mut |tables| tables.tree_nodes(level, &indexes))
    }

    fn check(&self) -> Result<Checked, StoreError> {
        self.read("check the views", &mut |tables| check::views(tables))
    }
}
