//! What one event says about its message, once its body has been read.

use smol_str::SmolStr;

use super::kinds::Direction;
use super::{ErrorCode, Status, Timestamp};

/// A status was reported: the facts of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReported {
    /// The evidence; nothing where no word came, or one that is no evidence.
    pub status: Option<Status>,
    /// The word as it came, where it is no evidence.
    pub unrecognised: Option<SmolStr>,
    pub error_code: Option<ErrorCode>,
    pub addressed: Addressed,
    /// The carrier's word: its own time, zone unknown, so it orders nothing and times nothing.
    pub raw_dlr_done_date: Option<SmolStr>,
    /// Which way the message went, as far as the event tells.
    pub direction: Direction,
    /// Whether a simulation sent the event.
    pub simulated: bool,
    /// When Twilio says that it created the message.
    pub created_at: Option<Timestamp>,
    pub labels: Vec<Label>,
}

/// Who sent to whom, and by which way. It may differ between events of one message:
/// RCS that falls back to SMS keeps its SID. Usual addresses are short enough to take no memory of
/// their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    pub from: Option<SmolStr>,
    pub to: Option<SmolStr>,
    pub channel: SmolStr,
    pub messaging_service_sid: Option<SmolStr>,
}

/// Something odd about an event that is kept all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// MessageStatus and SmsStatus say different things; MessageStatus counts.
    StatusWordsDiffer,
    /// The message SID is not SM or MM and 32 hex digits.
    OddMessageSid,
    /// Its status is one of an inbound message; of a message, all of its statuses are.
    Inbound,
    /// A simulation sent it; of a message, all of its events.
    Simulated,
}

impl Label {
    /// The word for it in timelines.
    pub fn name(self) -> &'static str {
        match self {
            Label::StatusWordsDiffer => "status-words-differ",
            Label::OddMessageSid => "odd-message-sid",
            Label::Inbound => "inbound",
            Label::Simulated => "simulated",
        }
    }
}
