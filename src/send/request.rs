//! A request that changes something at Twilio: what is sent, and what of it is logged.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;

use crate::domain::AccountSid;
use crate::twilio_api::is_feedback_url;

/// What a request asks of Twilio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendKind {
    /// To create a message.
    Message,
    /// To record feedback on a message.
    Feedback,
}

/// A checked request.
#[derive(Debug, Clone)]
pub struct Request {
    /// What it asks for.
    pub kind: SendKind,
    /// The account that it is about.
    pub account_sid: AccountSid,
    /// Its path at Twilio.
    pub path: String,
    /// Its form.
    pub form: Vec<u8>,
    /// The form without the text of the message, if that is not logged.
    pub form_without_text: Option<Vec<u8>>,
    /// Whether the log keeps the text of a message that Twilio's answer repeats.
    pub keep_content: bool,
    /// Notes of its intent.
    pub notes: BTreeMap<String, String>,
}

impl SendKind {
    /// The kind of a request to this URL.
    pub fn of_url(url: &str) -> Self {
        match is_feedback_url(url) {
            true => SendKind::Feedback,
            false => SendKind::Message,
        }
    }

    /// What Twilio is given, as a noun.
    pub fn name(self) -> &'static str {
        match self {
            SendKind::Message => "message",
            SendKind::Feedback => "feedback",
        }
    }
}

/// Encodes the parameters of a form.
pub fn encode(parameters: impl IntoIterator<Item = (&'static str, String)>) -> Vec<u8> {
    Serializer::new(String::new()).extend_pairs(parameters).finish().into_bytes()
}
