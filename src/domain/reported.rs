//! What one event says about its message, once its body has been read.

use std::borrow::Cow;

use super::{ErrorCode, Status};

/// A status was reported: the facts of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReported {
    /// The evidence; nothing where no word came, or one that is no evidence.
    pub status: Option<Status>,
    /// The word as it came, where it is no evidence.
    pub unrecognised: Option<String>,
    pub error_code: Option<ErrorCode>,
    pub addressed: Addressed,
    /// The carrier's word: its own time, zone unknown, so it orders nothing and times nothing.
    pub raw_dlr_done_date: Option<String>,
    pub labels: Vec<Label>,
}

/// Who sent to whom, and by which way. It may differ between events of one message:
/// RCS that falls back to SMS keeps its SID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    pub from: Option<String>,
    pub to: Option<String>,
    pub channel: Cow<'static, str>,
    pub messaging_service_sid: Option<String>,
}

/// Something odd about an event that is kept all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// MessageStatus and SmsStatus say different things; MessageStatus counts.
    StatusWordsDiffer,
    /// The message SID is not SM or MM and 32 hex digits.
    OddMessageSid,
}

impl Label {
    /// The word for it in timelines.
    pub fn name(self) -> &'static str {
        match self {
            Label::StatusWordsDiffer => "status-words-differ",
            Label::OddMessageSid => "odd-message-sid",
        }
    }
}
