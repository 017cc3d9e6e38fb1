//! Messages and checkpoints, as views are read, and the batches in which they are written.

use uuid::Uuid;

use crate::domain::hash::Hash;
use crate::domain::logged_error::LoggedError;
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
    /// The number of events that were left out because their messages had been erased.
    pub erased_events: u64,
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
