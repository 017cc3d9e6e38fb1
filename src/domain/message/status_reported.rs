//! The facts that one event reports about its message, parsed from its body.

use smol_str::SmolStr;

use crate::domain::message::click::ReportedClick;
use crate::domain::message::details::{FeedbackOutcome, ReportedDetails};
use crate::domain::message::event_ref::Subject;
use crate::domain::message::tags::Tags;
use crate::domain::{ErrorCode, Status, Timestamp};

/// The facts reported by one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReported {
    /// `None` if the event has no status, or not one of an outbound message.
    pub status: Option<Status>,
    /// The status as received, if it is not one of an outbound message.
    pub unrecognised: Option<SmolStr>,
    /// The error code, which is never 0.
    pub error_code: Option<ErrorCode>,
    /// Sender, recipient and channel.
    pub addressed: Addressing,
    /// The carrier's delivery time. Its time zone is unknown, so it is only shown.
    pub raw_dlr_done_date: Option<SmolStr>,
    /// Whether the message was sent or received.
    pub direction: Direction,
    /// True if a simulator sent the event.
    pub simulated: bool,
    /// True if the event was imported.
    pub imported: bool,
    /// The creation date of the message according to Twilio.
    pub created_at: Option<Timestamp>,
    /// The tags in the query of the callback URL.
    pub tags: Tags,
    /// How the event arrived.
    pub arrival: Arrival,
    /// What it reports besides; `None` for most events.
    pub details: Option<Box<ReportedDetails>>,
    /// How doubtful the facts are.
    pub doubt: Doubt,
    /// The oddities of the event.
    pub labels: Vec<Label>,
}

impl StatusReported {
    /// What the event is about.
    pub fn subject(&self) -> Subject {
        match self.details.as_deref() {
            Some(ReportedDetails { click: Some(_), .. }) => Subject::Click,
            Some(ReportedDetails { feedback: Some(_), .. }) => Subject::Feedback,
            _ => Subject::Status,
        }
    }

    /// The click on one of its links; `None` if the event is none.
    pub fn click(&self) -> Option<&ReportedClick> {
        self.details.as_ref()?.click.as_ref()
    }

    /// The outcome that the sender reported; `None` if the event is no feedback.
    pub fn feedback(&self) -> Option<FeedbackOutcome> {
        self.details.as_ref()?.feedback
    }

    /// The id of the CloudEvent; `None` if the event is none.
    pub fn cloud_event_id(&self) -> Option<&str> {
        self.details.as_ref()?.cloud_event_id.as_deref()
    }

    /// When the status was reached or the click made, according to Twilio.
    pub fn occurred_at(&self) -> Option<Timestamp> {
        self.details.as_ref()?.occurred_at
    }
}

/// How an event arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrival {
    /// As a status callback.
    Callback,
    /// As a CloudEvent of Event Streams with a status.
    Stream,
    /// Otherwise: as a click, an answer or a record of Twilio's API, or by an import of records.
    #[default]
    Other,
}

/// The direction of a message, as reported by one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// The event has a status of an outbound message, or an unknown status.
    Outbound,
    /// The status is `receiving` or `received`, or Twilio reports the direction `inbound`.
    Inbound,
    /// The event has no status, so the direction is unknown.
    #[default]
    Unstated,
}

/// A score of how likely it is that an event was forged from a genuine one by splitting its signed
/// text at other places: Twilio signs names and values without separators, so a signature is valid
/// for every such split. Of events with the same status, the one with the smaller doubt ranks higher,
/// so that a forged one never replaces the genuine one.
///
/// It depends only on the event. In order of weight: a swallowed or repeated parameter, or a value
/// in a form that Twilio does not use; the number of AccountSid, To and From that are missing; the
/// number of unknown parameter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Doubt(u8);

impl Doubt {
    /// The greatest doubt. It fits in seven bits, so that a byte has one to spare.
    pub const MAX: Doubt = Doubt(0b111_1111);

    /// Creates a score. `spliced`: a parameter is swallowed or repeated, or a value is malformed;
    /// `missing`: the number of the three parameters that are missing; `unknown_names` is capped at 15.
    pub fn new(spliced: bool, missing: usize, unknown_names: usize) -> Self {
        Self(u8::from(spliced) << 6 | (missing.min(3) as u8) << 4 | unknown_names.min(15) as u8)
    }

    /// Converts it to a byte, at most that of [`Doubt::MAX`].
    pub fn to_byte(self) -> u8 {
        self.0
    }

    /// The doubt that [`to_byte`](Self::to_byte) converts to this byte; `None` if there is none.
    pub fn from_byte(byte: u8) -> Option<Self> {
        (byte <= Self::MAX.0).then_some(Self(byte))
    }
}

/// The sender, recipient and channel according to one event. They may differ between events of one
/// message: RCS that falls back to SMS keeps its SID.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addressing {
    /// The sender; `None` if the event names none.
    pub from: Option<SmolStr>,
    /// The recipient; `None` if the event names none.
    pub to: Option<SmolStr>,
    /// The channel, such as `sms` or `whatsapp`.
    pub channel: SmolStr,
    /// True if the event states its channel; otherwise it is inferred from the SID.
    pub channel_is_explicit: bool,
    /// The SID of the messaging service that sent the message.
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

    /// True if it has a field that `other` lacks.
    pub fn has_fields_missing_in(&self, other: &Self) -> bool {
        self.from.is_some() && other.from.is_none()
            || self.to.is_some() && other.to.is_none()
            || self.channel_is_explicit && !other.channel_is_explicit
            || self.messaging_service_sid.is_some() && other.messaging_service_sid.is_none()
    }

    /// Removes the fields that `other` has.
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

/// A remark about an event or a message, shown in timelines. It never prevents storing an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// MessageStatus and SmsStatus differ; MessageStatus is used.
    StatusWordsDiffer,
    /// The message SID is not `SM` or `MM` and 32 hex digits.
    OddMessageSid,
    /// The event, or every event with a status, reports an inbound message.
    Inbound,
    /// The event, or every event of the message, was simulated.
    Simulated,
    /// A name or value contains the name of a missing parameter.
    SwallowedParameter,
    /// A parameter is repeated with the same value, or a parameter that facts are read from is repeated.
    RepeatedParameter,
    /// A program probably followed the link, and no person.
    LikelyPreview,
    /// Another event of the message has the same signature, but a different query or body.
    ReusedSignature,
}

impl Label {
    /// The name used in timelines.
    pub fn name(self) -> &'static str {
        match self {
            Label::StatusWordsDiffer => "status-words-differ",
            Label::OddMessageSid => "odd-message-sid",
            Label::Inbound => "inbound",
            Label::Simulated => "simulated",
            Label::SwallowedParameter => "swallowed-parameter",
            Label::RepeatedParameter => "repeated-parameter",
            Label::LikelyPreview => "likely-preview",
            Label::ReusedSignature => "reused-signature",
        }
    }
}
