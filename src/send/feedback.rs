//! Feedback on a message: whether its recipient did what the message was for
//! (<https://www.twilio.com/docs/messaging/api/message-feedback-resource>).

use super::note;
use super::request::{Request, SendKind, encode};
use crate::domain::message::details::FeedbackOutcome;
use crate::domain::{AccountSid, MessageSid};
use crate::twilio_api::feedback_url;

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
