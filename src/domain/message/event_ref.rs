//! References to the events of a message, and the effects that the events have.

use smallvec::SmallVec;

use crate::domain::Status;
use crate::domain::event::Position;

/// A reference to an event in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRef {
    /// The position of the event.
    pub position: Position,
    /// Equal for duplicates; see [`fingerprint`](crate::domain::digest::fingerprint).
    pub fingerprint: u64,
    /// The status that it reports; `None` if it has none or not one of an outbound message.
    pub status: Option<Status>,
}

/// References to the events of a message, in order. Up to three, as for most messages, are stored
/// inline.
pub type History = SmallVec<[EventRef; 3]>;

/// The effect of an event on its message: the first variant that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// An earlier event, at this position, has the same idempotency token, query and body.
    Duplicate(Position),
    /// It has no status, or not one of an outbound message.
    Unrecognised,
    /// It reports a success after a failure, or a failure after a success.
    Conflict,
    /// It reports a lower status than the highest one reported so far.
    Late,
    /// It reports the highest status so far again.
    Confirmed,
    /// It reports a higher status than all before.
    Advanced,
}

impl Effect {
    /// The name used in timelines.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Duplicate(_) => "duplicate",
            Effect::Unrecognised => "unrecognised",
            Effect::Conflict => "conflict",
            Effect::Late => "late",
            Effect::Confirmed => "confirmed",
            Effect::Advanced => "advanced",
        }
    }
}
