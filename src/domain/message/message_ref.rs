//! The current state of a message, borrowed. It has only the fields that filters and reports need,
//! so that millions of messages can be scanned without decoding each of them completely.

use crate::domain::message::details::Details;
use crate::domain::message::kinds::EventKinds;
use crate::domain::message::lifecycle::{Counts, ReportedCodes, shown_error_code};
use crate::domain::message::status_times::StatusTimes;
use crate::domain::{
    AccountSid, ErrorCode, Lifecycle, MessageKey, Position, Rule, Status, Timestamp,
};

/// The current state of a message, with borrowed texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRef<'a> {
    /// The account of the message; `None` if no event names one.
    pub account_sid: Option<&'a str>,
    /// The status of the deciding event; `None` means `unknown`.
    pub status: Option<Status>,
    /// The error code shown for the message.
    pub error_code: Option<ErrorCode>,
    /// From the highest-ranked event that has it; likewise `to`, `channel` and
    /// `messaging_service_sid`.
    pub from: Option<&'a str>,
    /// The recipient.
    pub to: Option<&'a str>,
    /// The channel, such as `sms` or `whatsapp`.
    pub channel: &'a str,
    /// The SID of the messaging service that sent it.
    pub messaging_service_sid: Option<&'a str>,
    /// When its first event in the log arrived.
    pub first_received_at: Timestamp,
    /// Every reported status, with the time of its first arrival.
    pub status_times: StatusTimes,
    /// True if any event is late.
    pub late: bool,
    /// True if any event is a duplicate.
    pub duplicate: bool,
    /// The kinds of the message's events.
    pub kinds: EventKinds,
    /// The tags of all its events.
    pub tags: TagRefs<'a>,
    /// Times, segments, price, carrier, clicks and feedback.
    pub details: Details,
}

/// The current state of a message with everything that exports show, with borrowed texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeMessage<'a> {
    /// The SID of the message.
    pub message_sid: &'a str,
    /// What filters and reports need.
    pub state: MessageRef<'a>,
    /// The rule by which the status is decided.
    pub rule: Rule,
    /// Every reported error code.
    pub codes: ReportedCodes,
    /// The carrier's delivery time, if one was reported.
    pub raw_dlr_done_date: Option<&'a str>,
    /// When its last event in the log arrived.
    pub last_received_at: Timestamp,
    /// The number of its events, and of those with certain effects.
    pub counts: Counts,
    /// True if the message has further tags, which exceed the limits.
    pub tags_dropped: bool,
    /// The position of its last event.
    pub last_position: Position,
}

/// When a message began according to Twilio: its creation date, or the first time at which it reached a status,
/// if that is earlier.
pub fn occurred_at(kinds: EventKinds, details: &Details) -> Option<Timestamp> {
    kinds.created_at.into_iter().chain(details.first_occurred_at()).min()
}

/// Names and values of tags, in byte order.
pub type TagRefs<'a> = Vec<(&'a str, &'a str)>;

impl<'a> MessageRef<'a> {
    /// The state of the message with this key.
    pub fn new(key: &'a MessageKey, lifecycle: &'a Lifecycle) -> Self {
        let Lifecycle { evidence, first_received_at, counts, .. } = lifecycle;
        let status = evidence.status();
        Self {
            account_sid: key.account_sid.as_ref().map(AccountSid::as_str),
            status,
            error_code: shown_error_code(&evidence.status_times, &evidence.codes, status),
            from: evidence.from(),
            to: evidence.to(),
            channel: evidence.channel(),
            messaging_service_sid: evidence.messaging_service_sid(),
            first_received_at: *first_received_at,
            status_times: evidence.status_times.clone(),
            late: counts.late > 0,
            duplicate: counts.duplicates > 0,
            kinds: evidence.kinds,
            tags: evidence.tags.iter().collect(),
            details: evidence.details.clone(),
        }
    }

    /// True if both a success and a failure were reported.
    pub fn has_conflict(&self) -> bool {
        self.status_times.has_conflict()
    }

    /// True if it is an outbound message whose outcome is not known yet.
    pub fn is_open(&self) -> bool {
        self.kinds.is_open(self.status)
    }

    /// The start of its age; see [`EventKinds::began_at`].
    pub fn began_at(&self) -> Timestamp {
        self.kinds.began_at(self.first_received_at)
    }

    /// When the message began according to Twilio; `None` if no event says so.
    pub fn occurred_at(&self) -> Option<Timestamp> {
        occurred_at(self.kinds, &self.details)
    }

    /// True if the outcome is known.
    pub fn is_settled(&self) -> bool {
        self.status.is_some_and(Status::is_settled)
    }
}

impl<'a> WholeMessage<'a> {
    /// The state of the message with this key.
    pub fn new(key: &'a MessageKey, lifecycle: &'a Lifecycle) -> Self {
        let Lifecycle { evidence, last_received_at, counts, history, .. } = lifecycle;
        let receipt = evidence.receipt.as_ref();
        Self {
            message_sid: key.message_sid.as_str(),
            state: MessageRef::new(key, lifecycle),
            rule: evidence.rule,
            codes: evidence.codes.clone(),
            raw_dlr_done_date: receipt.map(|receipt| receipt.raw_dlr_done_date.as_str()),
            last_received_at: *last_received_at,
            counts: *counts,
            tags_dropped: evidence.tags.has_dropped(),
            last_position: history.iter().map(|event| event.position).max().unwrap_or_default(),
        }
    }

    /// True if no further status is expected.
    pub fn is_terminal(&self) -> bool {
        self.state.status.is_some_and(|status| status.is_terminal_on(self.state.channel))
    }
}
