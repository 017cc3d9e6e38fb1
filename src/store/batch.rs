//! Messages and checkpoints, as views are read, and the batches in which they are written.

use uuid::Uuid;

use crate::domain::hash::Hash;
use crate::domain::logged_error::LoggedError;
use crate::domain::message::message_ref::WholeMessage;
use crate::domain::message::tags::IndexedTags;
use crate::domain::tree::{Node, RightEdge};
use crate::domain::{Lifecycle, MessageKey, Position, Rule};

/// A checkpoint: how far a projection has read, and of which log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The id of the ledger whose log was read.
    pub ledger_id: Uuid,
    /// Another UUID after each reset and each replay; not the one in the name of the file.
    pub generation: Uuid,
    /// The rule by which statuses were decided.
    pub rule: Rule,
    /// The last position that was read; 0 is none.
    pub position: Position,
    /// The event at the position; `None` at position 0.
    pub event_id: Option<Uuid>,
    /// The right edge of the tree up to the position.
    pub tree: RightEdge,
    /// The first event that no simulation sent; 0 is none.
    pub first_real: Position,
    /// The last event that a simulation sent; 0 is none.
    pub last_simulated: Position,
    /// The tags by which lists find messages without a scan.
    pub indexed_tags: IndexedTags,
}

/// One message in the views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place in the order of first arrival, from 1; 0 until it is first projected.
    pub id: u64,
    /// The account and SID of the message.
    pub key: MessageKey,
    /// Its state after the events up to the checkpoint.
    pub lifecycle: Lifecycle,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    /// The state of the views that the messages were read from.
    pub checkpoint: Checkpoint,
    /// The messages, newest first.
    pub messages: Vec<Message>,
    /// Where the next page begins; `None` if this is the last.
    pub next_before: Option<u64>,
}

/// The changes of one step of a projection.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The checkpoint's position that the step began at.
    pub from: Position,
    /// The checkpoint after the step.
    pub to: Checkpoint,
    /// Every message the step touched, new ones in order of first arrival.
    pub messages: Vec<MessageChange>,
    /// The nodes of the tree that are complete now, of the levels that are stored.
    pub tree_nodes: Vec<(Node, Hash)>,
    /// The errors that Twilio has logged, in order of position. Those that the views have already are not
    /// counted again.
    pub logged_errors: Vec<LoggedError>,
    /// The events that name a message and report nothing of it, in order of position.
    pub silent_events: Vec<SilentEvent>,
    /// The number of events that were left out because their messages had been erased.
    pub erased_events: u64,
}

/// An event that names a message and reports nothing of it, or did so before it was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SilentEvent {
    /// The first 63 bits of the hash of account and message, which two messages may have in common.
    pub message: u64,
    /// The position of the event.
    pub position: Position,
}

impl Message {
    /// The same, borrowed.
    pub fn whole(&self) -> WholeMessage<'_> {
        WholeMessage::new(&self.key, &self.lifecycle)
    }
}

impl SilentEvent {
    /// The beginning of a message's hash.
    pub fn key(message: &Hash) -> u64 {
        let first = message.first_chunk().expect("a hash has more than eight bytes");
        u64::from_be_bytes(*first) >> 1
    }
}

/// One message that a step touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageChange {
    /// Its state in the views before the step; `None` for a new message, as most are. Roll-ups and indexes are
    /// corrected by it.
    pub before: Option<Box<Lifecycle>>,
    /// The message after the step.
    pub message: Message,
}
