//! The seam between the ledger and its engines, and the only room with SQL.
//!
//! A [`Store`] has the log, which is precious, and [`Views`], which can be thrown away.
//! Every method is blocking, and short but for `check`; callers on an async thread hand them to a blocking one.

mod beside;
pub mod copy;
mod event_bytes;
mod event_pages;
pub mod head;
pub mod inspect;
mod kept;
pub mod metrics;
pub mod open;
mod poison;
pub mod quarantine;
mod sqlite;
pub mod writer;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::PathBuf;

use uuid::Uuid;

use self::metrics::Sizes;
use crate::domain::digest::Hash;
use crate::domain::filter::MessageFilter;
use crate::domain::message_ref::MessageRef;
use crate::domain::rollup::{Hour, Rollup, RollupKey};
use crate::domain::{Lifecycle, MessageKey, MessageSid, NewEvent, Position, RecordedEvent, Rule};

pub use beside::append_when_free;
pub use event_pages::{EventPages, for_each_event};
pub use kept::Kept;
pub use open::{Access, Database, open};
pub use sqlite::files::lock::Lock;

/// Every how many positions the chain's value is kept, so that a change can be placed.
pub const CHAIN_MARK_EVERY: u64 = 4096;

/// A ledger on one engine: its log, and the views derived from it.
pub trait Store: Send + Sync {
    /// Tells this ledger from every other; log and views carry the same.
    fn ledger_id(&self) -> Uuid;

    /// Appends events in this order, all or none, and returns the new head.
    /// When it returns they are on disk. After [`StoreError::Busy`] nothing has happened and it can
    /// be tried again. After any other error what is on disk is not known, and nothing more can be
    /// appended until [`Store::reopen`]. Positions have no gaps and become visible in order; another
    /// process may have appended between two calls, never within one.
    fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError>;

    /// Whether the log is still what is found under its name. It costs next to nothing; `append`
    /// asks for itself before it returns.
    fn check_files_unmoved(&self) -> Result<(), StoreError>;

    /// Called in a pause: puts the log in order on disk as far as that needs no waiting.
    fn checkpoint_wal(&self) -> Result<(), StoreError>;

    /// Closes the log where it is written, opens it again, and returns the head found there. When it
    /// returns everything up to it is on disk, also what a failed append may have left, and events
    /// can be appended again. Reads go on meanwhile, and where it fails it can be tried again.
    fn reopen(&self) -> Result<Position, StoreError>;

    /// The same as [`Store::reopen`], for a writer that keeps a copy of what it appended last: what is
    /// missing from the log is appended again from there. If anything is missing that it does not
    /// have, the log is left as it is and [`StoreError::LostEvents`] says so.
    fn reopen_and_restore(&self, _kept: &Kept) -> Result<Position, StoreError> {
        self.reopen()
    }

    /// The position up to which events no longer depend on the write-ahead log, so that no copy of them
    /// has to be kept.
    fn safe_without_wal(&self) -> Position {
        Position::MAX
    }

    /// The last position; 0 in an empty log.
    fn head(&self) -> Result<Position, StoreError>;

    /// Lends at most `limit` events after a position, one after the other, until `each` ends it;
    /// fewer where they are large, none only at the end. A read stays open meanwhile, so `each` has
    /// to be quick and wait for nobody; long readers call again.
    fn scan(
        &self,
        after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Events as [`scan`](Store::scan) lends them, to keep. No read stays open behind it.
    fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut events = Vec::new();
        self.scan(after, limit, &mut |event| {
            events.push(event.clone());
            ControlFlow::Continue(())
        })?;
        Ok(events)
    }

    /// The events at these positions, in the order asked for; one that is not there is an error.
    fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError>;

    /// What the ledger takes on disk at this moment.
    fn sizes(&self) -> Result<Sizes, StoreError>;

    /// What the engine itself finds wrong with the log: guards that are gone, damaged pages.
    /// It reads every page, so it takes its time; it is given up where that would keep more than a
    /// bounded part of what is written meanwhile from being put in order.
    fn check(&self) -> Result<Checked, StoreError>;

    /// What of it can be told at once: guards that are gone, and what we did not make.
    fn check_guards(&self) -> Result<Vec<Damage>, StoreError>;

    /// The views in use.
    fn views(&self) -> &dyn Views;

    /// Begins to rebuild the views, next to those in use. There is one rebuild at a time in all
    /// processes; another one is [`StoreError::Replaying`].
    fn begin_rebuild(&self, rule: Rule) -> Result<Box<dyn Rebuild + '_>, StoreError>;

    /// Empty views of their own, removed when dropped: for a fold that is only compared. As in a
    /// [`Rebuild`], their messages can be loaded and paged, but neither found by SID nor listed.
    fn temporary_views(&self, rule: Rule) -> Result<Box<dyn Views>, StoreError>;
}

/// One set of views: the state of each message at a checkpoint.
pub trait Views: Send + Sync {
    /// The position that these views have read up to, and of which log.
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

    /// At most `limit` messages that match the filter and have an id below `before`, newest by first
    /// arrival first. If too many have to be read to find them, the page is shorter and can be
    /// continued.
    fn list(
        &self,
        filter: &MessageFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<MessagePage, StoreError>;

    /// The number of messages. Their ids go from 1 to this number.
    fn count(&self) -> Result<u64, StoreError>;

    /// Passes each roll-up of these hours to `each`, in the order of the hours, and returns the
    /// checkpoint. A read stays open meanwhile, as in [`Store::scan`].
    fn for_each_rollup(
        &self,
        hours: RangeInclusive<Hour>,
        each: &mut dyn FnMut(RollupKey<'_>, &Rollup),
    ) -> Result<Checkpoint, StoreError>;

    /// The chain's value at every [`CHAIN_MARK_EVERY`]th position up to the checkpoint.
    fn chain_marks(&self) -> Result<BTreeMap<Position, Hash>, StoreError>;

    /// What the engine itself finds wrong with the views. It is given up as the log's check is.
    fn check(&self) -> Result<Checked, StoreError>;
}

/// Views that are built to replace those in use. If dropped before that, they are removed.
pub trait Rebuild {
    /// The views to fill. Until their indexes are built, messages can be loaded and paged, but neither
    /// found by SID nor listed. If a write fails they are of no use any more.
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

/// How far a projection has read, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub ledger_id: Uuid,
    /// Tells these views from those that were there before a reset or a replay.
    pub generation: Uuid,
    pub rule: Rule,
    pub position: Position,
    /// The event at the position; nothing at position 0.
    pub event_id: Option<Uuid>,
    /// The chain of digests up to the position.
    pub chain: Hash,
    /// The first event that no simulation sent, and the last that one did; 0 is none.
    pub first_real: Position,
    pub last_simulated: Position,
}

/// One message in the views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place in the order of first arrival, from 1; 0 until it is first projected.
    pub id: u64,
    pub key: MessageKey,
    pub lifecycle: Lifecycle,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    /// What the messages are of.
    pub checkpoint: Checkpoint,
    pub messages: Vec<Message>,
    /// Where the next page begins; nothing where there is none.
    pub next_before: Option<u64>,
}

/// What one step of a projection writes.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The checkpoint's position that the step began at.
    pub from: Position,
    pub to: Checkpoint,
    /// Every message the step touched, new ones in order of first arrival.
    pub messages: Vec<MessageChange>,
    pub chain_marks: Vec<(Position, Hash)>,
}

/// One message that a step touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageChange {
    /// How it stood in the views; nothing for a new one, as most are. What is derived from messages,
    /// as roll-ups and indexes are, is corrected by it.
    pub before: Option<Box<Lifecycle>>,
    pub message: Message,
}

/// What an engine's own check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    pub damages: Vec<Damage>,
    /// Whether it got to its end.
    pub finished: bool,
}

/// Something an engine found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// A table or a trigger that refuses changes is missing, or is not what it was made as.
    GuardMissing { name: String },
    /// Something that we did not make.
    Foreign { name: String },
    /// Rows of the views that belong to no message.
    Stray { table: &'static str, rows: u64 },
    /// The engine's own integrity check.
    Engine { detail: String },
}

/// What a caller of the store can act on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{} is held by another process (a running serve, or a command at work); stop it, or name another ledger", path.display()
    )]
    Locked { path: PathBuf },

    #[error("{} is not the file that was opened: it was moved, removed or replaced while in use", path.display())]
    NotInPlace { path: PathBuf },

    #[error(
        "{} was changed by another program while it was in use: {detail}; leave its files to this \
         program, or stop it before they are restored",
        path.display()
    )]
    DamagedLog { path: PathBuf, detail: String, in_database: bool },

    #[error(
        "events that were acknowledged are missing from {}: {detail}; its files are left as they are: \
         put the right ones back, or stop the server, keep a copy of them, and restore the newest backup",
        path.display()
    )]
    LostEvents { path: PathBuf, detail: String },

    #[error("{} is a folder; name a file in it, such as {}", path.display(), path.join("ledger.db").display())]
    IsFolder { path: PathBuf },

    #[error("{} cannot be a ledger: {} is a file and no folder", path.display(), file.display())]
    InFile { path: PathBuf, file: PathBuf },

    #[error("there is no ledger at {}; serve makes one, and --database or DELIVERY_LEDGER_DATABASE names another", path.display())]
    NotFound { path: PathBuf },

    #[error("{} was written by a newer version (schema {found}, this version knows {known}); use that version", path.display())]
    NewerVersion { path: PathBuf, found: u32, known: u32 },

    #[error("{} is no delivery-ledger database: {detail}", path.display())]
    NotALedger { path: PathBuf, detail: String },

    #[error("{} is there already, and nothing is written over it; name another place, or move it away", path.display())]
    AlreadyExists { path: PathBuf },

    #[error(
        "{} was left by a database that is no longer there, and belongs to no other; it may hold \
         events that were acknowledged: put it back beside the ledger it was beside, or move it away",
        path.display()
    )]
    Leftover { path: PathBuf },

    #[error(
        "{} does not belong to {}: {detail}; if the ledger was restored from a copy, move it away, \
         else put back the ledger that it was beside",
        wal.display(),
        path.display()
    )]
    ForeignWal { wal: PathBuf, path: PathBuf, detail: String },

    #[error(
        "{} is the same file under another name (a hard link); SQLite would write to it past this \
         one: remove the other name, or make a copy",
        path.display()
    )]
    OtherName { path: PathBuf },

    #[error("cannot {act} {}: {cause}", path.display())]
    File { act: &'static str, path: PathBuf, cause: std::io::Error },

    #[error("event {position} cannot be read: {detail}")]
    Unreadable { position: Position, detail: String },

    #[error("there is no event at position {position}")]
    NoSuchEvent { position: Position },

    #[error("the views hold something they cannot hold: {detail}")]
    DamagedViews { detail: String },

    #[error("{} is being rebuilt by another replay; wait until that has ended", path.display())]
    Replaying { path: PathBuf },

    #[error("the views' checkpoint was moved by another projection")]
    CheckpointMoved,

    #[error("stopped before the end was reached")]
    Cancelled,

    #[error("another program is writing to the ledger's file and does not let go of it")]
    Busy,

    #[error("the log was closed after an error and has not been opened again")]
    NeedsReopen,

    #[error("{0} (ledger opened for reading only)")]
    ReadOnly(&'static str),

    #[error("{act}: {cause}")]
    Engine { act: String, cause: Box<dyn std::error::Error + Send + Sync> },
}
