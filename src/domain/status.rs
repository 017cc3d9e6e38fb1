//! Twilio's MessageStatus as a ladder, with the failures standing beside it.

/// A status that is evidence of how far an outbound message came.
///
/// The order of the variants is the order of precedence under [`Rule::FailureTerminal`]:
/// the ladder from `scheduled` to `read`, then the failures from the weakest to the strongest
/// (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).
///
/// [`Rule::FailureTerminal`]: super::Rule::FailureTerminal
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Scheduled,
    Accepted,
    Queued,
    Sending,
    Sent,
    PartiallyDelivered,
    Delivered,
    Read,
    Canceled,
    Undelivered,
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

    /// The status with this name, in whatever letter case; nothing for a word that is no evidence
    /// about an outbound message (a new one, or the inbound `receiving` and `received`).
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(word))
    }

    /// The status with exactly this name, for what we wrote ourselves.
    pub fn from_exact_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Twilio's word for it.
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

    /// `canceled`, `undelivered` or `failed`.
    pub fn is_failure(self) -> bool {
        self >= Status::Canceled
    }

    /// Evidence that the message reached somebody: `partially_delivered`, `delivered` or `read`.
    pub fn is_success(self) -> bool {
        (Status::PartiallyDelivered..=Status::Read).contains(&self)
    }

    /// Whether the outcome is known: `delivered`, `read`, or a failure.
    pub fn is_settled(self) -> bool {
        self.is_failure() || self == Status::Delivered || self == Status::Read
    }
}
