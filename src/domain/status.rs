//! Twilio's MessageStatus, in order of precedence.

use super::channel::has_read_receipts;

/// A status of an outbound message.
///
/// The variants are in order of precedence under [`Rule::FailureTerminal`]: progress from `scheduled`
/// to `read`, then the failures from the weakest to the strongest
/// (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).
///
/// [`Rule::FailureTerminal`]: super::Rule::FailureTerminal
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Twilio sends the message at a later time.
    Scheduled,
    /// Twilio accepted the message for a messaging service, which has not chosen a sender yet.
    Accepted,
    /// The message waits to be sent.
    Queued,
    /// Twilio is passing the message on to the carrier.
    Sending,
    /// The carrier accepted the message.
    Sent,
    /// Some of several recipients have the message.
    PartiallyDelivered,
    /// The carrier, or the recipient's device, confirmed that it arrived.
    Delivered,
    /// The recipient opened the message (WhatsApp, RCS).
    Read,
    /// A scheduled message was cancelled.
    Canceled,
    /// The carrier could not deliver the message.
    Undelivered,
    /// Twilio could not send the message.
    Failed,
}

impl Status {
    /// Every status, in order of precedence.
    pub const ALL: [Status; 11] = [
        Status::Scheduled,
        Status::Accepted,
        Status::Queued,
        Status::Sending,
        Status::Sent,
        Status::PartiallyDelivered,
        Status::Delivered,
        Status::Read,
        Status::Canceled,
        Status::Undelivered,
        Status::Failed,
    ];

    /// Parses Twilio's name of a status, ignoring case. `None` if the word is not a status of an
    /// outbound message: an unknown one, or the inbound `receiving` and `received`.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(word))
    }

    /// The status with exactly this name, for names that this program wrote.
    pub fn from_exact_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Twilio's name.
    pub fn name(self) -> &'static str {
        match self {
            Status::Scheduled => "scheduled",
            Status::Accepted => "accepted",
            Status::Queued => "queued",
            Status::Sending => "sending",
            Status::Sent => "sent",
            Status::PartiallyDelivered => "partially_delivered",
            Status::Delivered => "delivered",
            Status::Read => "read",
            Status::Canceled => "canceled",
            Status::Undelivered => "undelivered",
            Status::Failed => "failed",
        }
    }

    /// True for `canceled`, `undelivered` and `failed`.
    pub fn is_failure(self) -> bool {
        self >= Status::Canceled
    }

    /// True if the message reached a recipient: `partially_delivered`, `delivered` and `read`.
    pub fn is_success(self) -> bool {
        (Status::PartiallyDelivered..=Status::Read).contains(&self)
    }

    /// True if the outcome is known: `delivered`, `read` and the failures.
    pub fn is_settled(self) -> bool {
        self.is_failure() || self == Status::Delivered || self == Status::Read
    }

    /// True if a message on this channel gets no further status: a failure, `read`, or `delivered` on a
    /// channel without read receipts.
    pub fn is_terminal_on(self, channel: &str) -> bool {
        self.is_settled() && !(self == Status::Delivered && has_read_receipts(channel))
    }
}
