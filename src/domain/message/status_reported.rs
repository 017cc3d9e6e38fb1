//! What one event says about its message, once its body has been read.

use smol_str::SmolStr;

use crate::domain::{ErrorCode, Status, Timestamp};

/// A status was reported: the facts of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReported {
    /// The evidence; nothing where no word came, or one that is no evidence.
    pub status: Option<Status>,
    /// The word as it came, where it is no evidence.
    pub unrecognised: Option<SmolStr>,
    pub error_code: Option<ErrorCode>,
    pub addressed: Addressing,
    /// The carrier's word: its own time, zone unknown, so it orders nothing and times nothing.
    pub raw_dlr_done_date: Option<SmolStr>,
    /// Which way the message went, as far as the event tells.
    pub direction: Direction,
    /// Whether a simulation sent the event.
    pub simulated: bool,
    /// Whether an import brought the event.
    pub imported: bool,
    /// When Twilio says that it created the message.
    pub created_at: Option<Timestamp>,
    pub doubt: Doubt,
    pub labels: Vec<Label>,
}

/// Which way a message went, as one event reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// It reports a status of an outbound message; a word that is not known counts as one.
    Outbound,
    /// Its status is `receiving` or `received`, or Twilio says that the message came in.
    Inbound,
    /// It reports no status, so it does not show that there is an outbound message.
    #[default]
    Unstated,
}

/// How likely it is that an event is another one whose signed text was cut elsewhere: Twilio signs
/// names and values without separators, so one signature fits every way to cut the text. Among
/// equals the event with the smaller doubt goes first, so that such a cut takes nothing over.
///
/// It depends on nothing but the event. In order of weight: a parameter swallowed or repeated, or a
/// value that is not as Twilio writes it; how many of AccountSid, To and From are missing; how many names nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Doubt(u8);

impl Doubt {
    /// The greatest that there is. It leaves one bit of a byte to others.
    pub const MAX: Doubt = Doubt(0b111_1111);

    /// A parameter was swallowed or repeated, or a value is misshapen (`spliced`), so many of the three are missing, and so
    /// many names are unknown; from 15 on these are not told apart.
    pub fn new(spliced: bool, missing: usize, unknown_names: usize) -> Self {
        Self(u8::from(spliced) << 6 | (missing.min(3) as u8) << 4 | unknown_names.min(15) as u8)
    }

    /// The doubt as one byte, at most [`Doubt::MAX`].
    pub fn to_byte(self) -> u8 {
        self.0
    }

    /// The doubt that has this byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        (byte <= Self::MAX.0).then_some(Self(byte))
    }
}

/// Who sent to whom, and by which way. It may differ between events of one message:
/// RCS that falls back to SMS keeps its SID. Usual addresses are short enough to take no memory of
/// their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addressing {
    pub from: Option<SmolStr>,
    pub to: Option<SmolStr>,
    pub channel: SmolStr,
    /// Whether the event tells its channel; otherwise it is what the SID suggests.
    pub channel_is_explicit: bool,
    pub messaging_service_sid: Option<SmolStr>,
}

impl Addressing {
    /// True if it has no address and no messaging service, and its channel is only inferred.
    pub fn is_empty(&self) -> bool {
        self.from.is_none()
            && self.to.is_none()
            && !self.channel_is_explicit
            && self.messaging_service_sid.is_none()
    }

    /// Whether it has anything that `other` lacks.
    pub fn has_fields_missing_in(&self, other: &Self) -> bool {
        self.from.is_some() && other.from.is_none()
            || self.to.is_some() && other.to.is_none()
            || self.channel_is_explicit && !other.channel_is_explicit
            || self.messaging_service_sid.is_some() && other.messaging_service_sid.is_none()
    }

    /// Drops what `other` has.
    pub fn remove_fields_of(&mut self, other: &Self) {
        if other.from.is_some() {
            self.from = None;
        }
        if other.to.is_some() {
            self.to = None;
        }
        if other.channel_is_explicit || !self.channel_is_explicit {
            (self.channel, self.channel_is_explicit) = (SmolStr::default(), false);
        }
        if other.messaging_service_sid.is_some() {
            self.messaging_service_sid = None;
        }
    }
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
    /// A name or a value contains the name of a parameter that is missing.
    SwallowedParameter,
    /// A name with the same value occurs more than once, or a name that facts are read from.
    RepeatedParameter,
    /// Another event of the message has the same signature, and another query or body.
    ReusedSignature,
}

impl Label {
    /// The word for it in timelines.
    pub fn name(self) -> &'static str {
        match self {
            Label::StatusWordsDiffer => "status-words-differ",
            Label::OddMessageSid => "odd-message-sid",
            Label::Inbound => "inbound",
            Label::Simulated => "simulated",
            Label::SwallowedParameter => "swallowed-parameter",
            Label::RepeatedParameter => "repeated-parameter",
            Label::ReusedSignature => "reused-signature",
        }
    }
}
