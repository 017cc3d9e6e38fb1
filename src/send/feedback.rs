//! Feedback on a message: whether its recipient did what the message was for
//! (<https://www.twilio.com/docs/messaging/api/message-feedback-resource>).

use super::note;
use super::request::{Request, SendKind, encode};
use crate::domain::{AccountSid, MessageSid};
use crate::twilio_api::feedback_url;

/// What became of the purpose of a message, as its sender reports it to Twilio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedbackOutcome {
    /// The recipient has not done it.
    Unconfirmed,
    /// The recipient did what the message was for, such as entering the code in it.
    Confirmed,
}

impl FeedbackOutcome {
    /// Every outcome.
    pub const ALL: [FeedbackOutcome; 2] =
        [FeedbackOutcome::Unconfirmed, FeedbackOutcome::Confirmed];

    /// The outcome with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Twilio's name.
    pub fn name(self) -> &'static str {
        match self {
            FeedbackOutcome::Unconfirmed => "unconfirmed",
            FeedbackOutcome::Confirmed => "confirmed",
        }
    }
}

/// The request that reports an outcome. Its intent names the message in a note, because its form does not.
pub fn request(
    account_sid: &AccountSid,
    message_sid: &MessageSid,
    outcome: FeedbackOutcome,
) -> Request {
    Request {
        kind: SendKind::Feedback,
        account_sid: account_sid.clone(),
        path: feedback_url(account_sid, message_sid),
        form: encode([("Outcome", outcome.name().to_owned())]),
        form_without_text: None,
        keep_content: true,
        notes: [(note::MESSAGE_SID.to_owned(), message_sid.to_string())].into(),
    }
}
