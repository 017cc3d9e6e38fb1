//! References to the events of a message, and the effects that the events have.

use smallvec::SmallVec;

use crate::domain::Status;
use crate::domain::event::Position;

/// The subject of an event: what it reports of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Subject {
    /// The status of the message.
    #[default]
    Status,
    /// A click on one of its links.
    Click,
    /// What became of its purpose, as its sender reported it to Twilio.
    Feedback,
}

/// Identifies an event among those of its message: equal for duplicates.
///
/// Two kinds are kept apart by their highest bit: of events that are duplicates because their token, query and
/// body are equal, and of CloudEvents, which are duplicates if their ids are, whatever else differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    const OF_CLOUD_EVENT: u64 = 1 << 63;

    /// The fingerprint of an event by the hash of its token, query and body.
    pub const fn of_content(hash: u64) -> Self {
        Self(hash & !Self::OF_CLOUD_EVENT)
    }

    /// The fingerprint of a CloudEvent by the hash of its id.
    pub const fn of_cloud_event(hash: u64) -> Self {
        Self(hash | Self::OF_CLOUD_EVENT)
    }

    /// True if events with this fingerprint have equal contents.
    pub const fn is_of_content(self) -> bool {
        self.0 & Self::OF_CLOUD_EVENT == 0
    }

    /// The fingerprint that [`bits`](Self::bits) converts to this number.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The fingerprint as a number.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

/// A reference to an event in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRef {
    /// The position of the event.
    pub position: Position,
    /// Equal for duplicates; see [`fingerprint`](crate::domain::digest::fingerprint).
    pub fingerprint: Fingerprint,
    /// What it reports.
    pub subject: Subject,
    /// The status that it reports; `None` if it has none or not one of an outbound message.
    pub status: Option<Status>,
}

/// References to the events of a message, in order. Up to three, as for most messages, are stored
/// inline.
pub type History = SmallVec<[EventRef; 3]>;

/// The effect of an event on its message: the first variant that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// An earlier event, at this position, has the same idempotency token, query and body, or is a CloudEvent
    /// with the same id.
    Duplicate(Position),
    /// It reports a click on a link.
    Click,
    /// It reports what became of the message's purpose.
    Feedback,
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
            Effect::Click => "click",
            Effect::Feedback => "feedback",
            Effect::Unrecognised => "unrecognised",
            Effect::Conflict => "conflict",
            Effect::Late => "late",
            Effect::Confirmed => "confirmed",
            Effect::Advanced => "advanced",
        }
    }
}
