//! The storage of a ledger: traits that hide the database engine, and the only module with SQL.
//!
//! A [`Store`] has the log, which is precious, and [`Views`], which can be rebuilt from it. Every method
//! blocks; async callers use a blocking thread.

mod batch;
mod checked;
pub mod claims;
mod codec;
pub mod copy;
pub mod erase;
mod error;
mod events;
pub mod forward;
pub mod head;
pub mod inspect;
mod list;
pub mod nodes;
pub mod open;
mod postgres;
pub mod quarantine;
pub mod seals;
mod shared;
mod sizes;
mod sqlite;
mod when_free;
pub mod writer;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use uuid::Uuid;

use self::claims::Claims;
use self::erase::Erasing;
use self::nodes::Nodes;
use self::seals::{NewSealRecord, SealQuery, SealRecord};
use crate::domain::event::Erased;
use crate::domain::hash::Hash;
use crate::domain::logged_error::LoggedErrors;
use crate::domain::message::filter::MessageFilter;
use crate::domain::message::message_ref::{MessageRef, WholeMessage};
use crate::domain::message::tags::IndexedTags;
use crate::domain::rollup::range::RollupRange;
use crate::domain::rollup::{Hour, Rollup, RollupKey};
use crate::domain::{AccountSid, MessageKey, MessageSid, NewEvent, Position, RecordedEvent, Rule};

pub use batch::{Batch, Checkpoint, Message, MessageChange, MessagePage, SilentEvent};
pub use checked::{Checked, Damage};
pub use error::StoreError;
pub use events::pages::{EventPages, for_each_event};
pub use events::salt::new_salt;
pub use open::{
    Database, create_forward_store, create_quarantine, open, open_forward_store, open_quarantine,
    read_forward_store, read_quarantine,
};
pub use postgres::connect::url::PostgresUrl;
pub use shared::{KeptValue, Task, TaskGuard};
pub use sizes::Sizes;
pub use sqlite::version as sqlite_version;
pub use when_free::{append_when_free, when_free};
pub use writer::recent_appends::RecentAppends;

/// The tree's nodes are stored at every multiple of this level: those of level 8 show which 256 events have
/// changed, and the others keep proofs fast.
pub const NODE_LEVELS: u8 = 8;

/// How often a wait looks at the log: other processes do not report what they append.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A ledger on one engine: its log, and the views derived from it.
pub trait Store: Send + Sync {
    /// Identifies the ledger; it is stored in the log and in the views.
    fn ledger_id(&self) -> Uuid;

    /// Appends events in this order, all or none, and returns the new head once they are on disk.
    ///
    /// After [`StoreError::Busy`] nothing was appended and the call can be repeated. After any other
    /// error it is unknown what is on disk, and nothing more can be appended until [`Store::reopen`].
    /// Positions have no gaps and become visible in order; another process may append between two calls,
    /// never within one.
    fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError>;

    /// Appends events of another log at their positions, as a copy does, erased ones too. Fails with
    /// [`StoreError::OtherEnd`], and appends nothing, if the log does not end with the event of this id at this
    /// position.
    ///
    /// An erased event cannot be read until [`add_erased`](Store::add_erased) has added what remains of it.
    fn append_copies(
        &self,
        after: (Position, Option<Uuid>),
        events: &[RecordedEvent],
    ) -> Result<Position, StoreError>;

    /// Adds what remains of erased events, once the events that erased them are in the log. What is there
    /// already is left as it is.
    fn add_erased(&self, erased: &[(Position, Erased)]) -> Result<(), StoreError>;

    /// Adds records of seals, all or none, and returns once they are on disk. It fails if one is of more events than
    /// the log has, or a seal of fewer than an earlier one.
    fn add_seal_records(&self, records: &[NewSealRecord]) -> Result<(), StoreError>;

    /// Records of seals, by the number of events that they are about.
    fn seal_records(&self, query: &SealQuery) -> Result<Vec<SealRecord>, StoreError>;

    /// From now on, stores the part of a URL after one of these path prefixes, such as `/v1/sms/`, with each
    /// event instead of in a shared envelope: every message may have a path of its own there. What is read
    /// stays the same.
    fn set_path_prefixes(&self, prefixes: Vec<String>);

    /// Sets the tags that views index when they are emptied or rebuilt. If it is not called, they index
    /// the same tags as before.
    fn set_indexed_tags(&self, indexed: IndexedTags);

    /// The tags of [`set_indexed_tags`](Self::set_indexed_tags).
    fn indexed_tags(&self) -> Option<IndexedTags>;

    /// Fails if the log's path no longer leads to the file that was opened. It is cheap; `append` checks
    /// this itself.
    fn check_files_unmoved(&self) -> Result<(), StoreError>;

    /// Moves the write-ahead log into the log's file, as far as no reader prevents it. Called while idle.
    fn checkpoint_wal(&self) -> Result<(), StoreError>;

    /// The same for the views. It waits for nobody; called at the end, when nothing writes to them.
    fn checkpoint_views_wal(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Reopens the write connection and returns the head of the log. Everything up to it is then on disk,
    /// including what a failed append may have left, and events can be appended again. Reads continue
    /// meanwhile. If it fails it can be repeated.
    fn reopen(&self) -> Result<Position, StoreError>;

    /// Like [`Store::reopen`], but appends acknowledged events that the log has lost again from the copy in memory. If
    /// the copy lacks any of them, the log is left unchanged and the error is [`StoreError::LostEvents`].
    fn reopen_and_restore(&self, _recent: &RecentAppends) -> Result<Position, StoreError> {
        self.reopen()
    }

    /// The position up to which events do not depend on the write-ahead log, so that they need no copy.
    fn safe_without_wal(&self) -> Position {
        Position::MAX
    }

    /// The last position; 0 in an empty log.
    fn head(&self) -> Result<Position, StoreError>;

    /// Lends at most `limit` events after a position, in order, until `each` breaks: fewer if they are
    /// large, none only at the end. A read transaction is open meanwhile, so `each` must be quick and not
    /// block; [`for_each_event`] reads a range of any length.
    fn scan(
        &self,
        after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Like [`scan`](Store::scan), but returns the events.
    fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut events = Vec::new();
        self.scan(after, limit, &mut |event| {
            events.push(event.clone());
            ControlFlow::Continue(())
        })?;
        Ok(events)
    }

    /// The events at these positions, in the given order; a missing one is an error.
    fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError>;

    /// Waits until the log has reached a position, also by events of other processes, but at most this long.
    /// Returns its head.
    fn wait_for(&self, position: Position, at_most: Duration) -> Result<Position, StoreError> {
        let deadline = Instant::now() + at_most;
        loop {
            let head = self.head()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if head >= position || left.is_zero() {
                return Ok(head);
            }
            std::thread::sleep(left.min(POLL_INTERVAL));
        }
    }

    /// Takes the right to run a task, waiting up to a second; `None` if another process keeps it.
    fn begin(&self, task: Task) -> Result<Option<Box<dyn TaskGuard>>, StoreError>;

    /// A small value; `None` if it was never kept.
    fn kept(&self, value: KeptValue) -> Result<Option<Vec<u8>>, StoreError>;

    /// Replaces a small value, all or nothing. It works however the ledger was opened.
    fn keep(&self, value: KeptValue, bytes: &[u8]) -> Result<(), StoreError>;

    /// Claims of idempotency keys that every process of the ledger sees; `None` if each keeps its own, because
    /// only one makes requests.
    fn claims(&self) -> Option<&dyn Claims> {
        None
    }

    /// The servers that share this ledger; `None` if the engine allows only one.
    fn nodes(&self) -> Option<&dyn Nodes> {
        None
    }

    /// Erases content of the log.
    fn erasing(&self) -> &dyn Erasing;

    /// The sizes of the ledger's files.
    fn sizes(&self) -> Result<Sizes, StoreError>;

    /// Runs the engine's own check of the log: missing guards and damaged pages. It reads every page, and
    /// gives up rather than let the write-ahead log grow beyond a bound meanwhile.
    fn check(&self) -> Result<Checked, StoreError>;

    /// The quick part of [`check`](Store::check): missing guards and foreign objects.
    fn check_guards(&self) -> Result<Vec<Damage>, StoreError>;

    /// The views in use.
    fn views(&self) -> &dyn Views;

    /// Begins a replay: a new generation of the views, next to the one in use. There is one replay at a
    /// time in all processes; another one is [`StoreError::Replaying`].
    fn begin_generation(&self, rule: Rule) -> Result<Box<dyn NewGeneration + '_>, StoreError>;

    /// Empty views of their own, removed when dropped: for a fold that is only compared. As in a
    /// [`NewGeneration`], their messages can be loaded and paged, but neither found by SID nor listed.
    fn temporary_views(&self, rule: Rule) -> Result<Box<dyn Views>, StoreError>;
}

/// One set of views: the state of each message at a checkpoint.
pub trait Views: Send + Sync {
    /// The position up to which these views have read, and the log that they have read.
    fn checkpoint(&self) -> Result<Checkpoint, StoreError>;

    /// Empties the views, to be filled by this rule.
    fn reset(&self, rule: Rule) -> Result<(), StoreError>;

    /// These messages, in the order asked for; `None` for each that does not exist.
    fn load(&self, keys: &[&MessageKey]) -> Result<Vec<Option<Message>>, StoreError>;

    /// Writes a batch and its checkpoint, all or nothing. If the checkpoint is no longer where the batch
    /// began, or other views have been put in use, nothing is written and the error is
    /// [`StoreError::CheckpointMoved`].
    fn project(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Every message with this SID, of any account, and the checkpoint.
    fn find(&self, message_sid: &MessageSid) -> Result<(Checkpoint, Vec<Message>), StoreError>;

    /// At most `limit` SIDs of messages that begin with this text, in order. Found are SIDs of Twilio's form,
    /// `SM` or `MM` and 32 hex digits, by the beginning of one; letter case does not matter.
    fn sids_beginning_with(&self, text: &str, limit: usize) -> Result<Vec<MessageSid>, StoreError>;

    /// At most `limit` messages after an id, in order of first arrival, and the checkpoint.
    fn page(&self, after: u64, limit: usize) -> Result<(Checkpoint, Vec<Message>), StoreError>;

    /// Passes each message with an id after one and up to another to `each`, in order of first arrival,
    /// and returns the checkpoint. A read stays open meanwhile, as in [`Store::scan`].
    fn for_each_message(
        &self,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&MessageRef<'_>),
    ) -> Result<Checkpoint, StoreError>;

    /// The same with everything that exports show of a message, until `each` breaks.
    fn for_each_whole_message(
        &self,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&WholeMessage<'_>) -> ControlFlow<()>,
    ) -> Result<Checkpoint, StoreError>;

    /// At most `limit` messages that match the filter and have an id below `before`, newest by first
    /// arrival first. If too many have to be read to find them, the page is shorter and can be
    /// continued.
    fn list(
        &self,
        filter: &MessageFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<MessagePage, StoreError>;

    /// The names of the tags that messages have, in byte order, for errors about unknown ones; not all if
    /// there are very many.
    fn tag_names(&self) -> Result<Vec<String>, StoreError>;

    /// The accounts of the messages.
    fn accounts(&self) -> Result<Vec<AccountSid>, StoreError>;

    /// The number of messages. Their ids go from 1 to this number.
    fn count(&self) -> Result<u64, StoreError>;

    /// Passes the roll-ups of these ranges to `each`, range by range in the order of the hours, and returns the
    /// checkpoint that all of them are of. A read stays open meanwhile, as in [`Store::scan`].
    fn for_each_rollup(
        &self,
        ranges: &[RollupRange],
        each: &mut dyn FnMut(RollupKey<'_>, &Rollup),
    ) -> Result<Checkpoint, StoreError>;

    /// The first and the last hour with roll-ups; `None` if there are none.
    fn rollup_hours(&self) -> Result<Option<(Hour, Hour)>, StoreError>;

    /// The errors that Twilio has logged about webhook requests, by error code and URL, the last first, and the
    /// checkpoint.
    fn logged_errors(&self) -> Result<(Checkpoint, Vec<LoggedErrors>), StoreError>;

    /// At most `limit` events after one that name a message and report nothing of it, by the hash of the message and
    /// by position, up to a hash.
    fn silent_events(
        &self,
        after: SilentEvent,
        last_message: u64,
        limit: usize,
    ) -> Result<Vec<SilentEvent>, StoreError>;

    /// The stored nodes of the tree with this level and these indexes; see [`NODE_LEVELS`]. Those that do
    /// not exist are left out.
    fn tree_nodes(&self, level: u8, indexes: Range<u64>)
    -> Result<BTreeMap<u64, Hash>, StoreError>;

    /// Runs the engine's own check of the views. Like the log's check, it gives up if the WAL grows.
    fn check(&self) -> Result<Checked, StoreError>;

    /// True if a check that has finished and found nothing shows that each message is found by its SID, because
    /// the engine compares every entry of the index with its message.
    fn check_covers_lookups(&self) -> bool {
        false
    }
}

/// Views that a replay builds to replace those in use. If dropped before that, they are removed.
pub trait NewGeneration {
    /// The views to fill. Until their indexes are built, messages can be loaded and paged, but neither
    /// found by SID nor listed. If a write fails they cannot be used any more.
    fn views(&self) -> &dyn Views;

    /// The same views for another thread, to read them while the indexes are built. They must not
    /// change meanwhile.
    fn reader(&self) -> Result<Box<dyn Views>, StoreError>;

    /// Builds the indexes.
    fn build_indexes(&self) -> Result<(), StoreError>;

    /// Builds the indexes, if that is not done, and replaces the views in use atomically, whatever
    /// other processes do with them: a projection continues from the new checkpoint, and readers see
    /// the old views or the new ones. The old ones are removed.
    ///
    /// Returns `false`, and does nothing, if those in use have read further: a checkpoint never moves
    /// back.
    fn swap_in(&self) -> Result<bool, StoreError>;
}

/// The purpose that a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Appending and projecting, as the only process; creates the ledger if it does not exist.
    Create,
    /// The same for a server: beside the other nodes of the ledger, if the engine allows several.
    Serve,
    /// Like `Create`, and a new ledger gets this id, as a copy does.
    CreateAs(Uuid),
    /// Appending and projecting in an existing ledger.
    Write,
    /// Like `Write`, but discards the views first.
    WriteDiscardingViews,
    /// Reading and replaying, alongside a process that appends and projects.
    Replay,
    /// Reading and appending, alongside a process that appends and projects.
    Append,
    /// Reading alongside a process that writes.
    Read,
}

/// Which program checkpoints the log's WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalCheckpoints {
    /// This program.
    Own,
    /// Another program, such as Litestream.
    External,
}
