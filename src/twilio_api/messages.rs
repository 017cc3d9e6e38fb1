//! Requests to Twilio's Messages resource.

use form_urlencoded::Serializer;

use super::{ApiResponse, Client, Credentials, RequestError};
use crate::domain::{AccountSid, MessageSid};

/// The number of messages on a page: the maximum that Twilio allows (error 20007).
const PAGE_SIZE: &str = "1000";

/// The version of the API, which is part of every path.
const VERSION: &str = "/2010-04-01";

/// The end of the path of feedback.
const FEEDBACK: &str = "/Feedback.json";

/// A period of time for a list of messages, by when they were sent, in GMT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentWindow {
    /// The beginning.
    pub since: String,
    /// The end.
    pub until: String,
}

/// The path of an account's messages.
pub fn messages_url(account_sid: &AccountSid) -> String {
    format!("{VERSION}/Accounts/{}/Messages.json", in_path(account_sid.as_str()))
}

/// The path of one message.
pub fn message_url(account_sid: &AccountSid, message_sid: &MessageSid) -> String {
    let (account_sid, message_sid) = (in_path(account_sid.as_str()), in_path(message_sid.as_str()));
    format!("{VERSION}/Accounts/{account_sid}/Messages/{message_sid}.json")
}

/// The path of the feedback on one message.
pub fn feedback_url(account_sid: &AccountSid, message_sid: &MessageSid) -> String {
    let (account_sid, message_sid) = (in_path(account_sid.as_str()), in_path(message_sid.as_str()));
    format!("{VERSION}/Accounts/{account_sid}/Messages/{message_sid}{FEEDBACK}")
}

/// True if a URL is that of feedback.
pub fn is_feedback_url(url: &str) -> bool {
    url.ends_with(FEEDBACK)
}

impl Client {
    /// Fetches one message.
    pub fn fetch(
        &self,
        who: &Credentials,
        account_sid: &AccountSid,
        message_sid: &MessageSid,
    ) -> Result<ApiResponse, RequestError> {
        self.get(who, &message_url(account_sid, message_sid))
    }
}

/// The path of the first page of an account's messages of a time.
pub fn first_page(account_sid: &AccountSid, window: &SentWindow) -> String {
    let query = Serializer::new(String::new())
        .append_pair("DateSent>", &window.since)
        .append_pair("DateSent<", &window.until)
        .append_pair("PageSize", PAGE_SIZE)
        .finish();
    format!("{}?{query}", messages_url(account_sid))
}

/// A path segment of a SID. A callback may contain any text as a SID, which must not lead to another path.
pub(super) fn in_path(sid: &str) -> String {
    percent_encoding::utf8_percent_encode(sid, percent_encoding::NON_ALPHANUMERIC).to_string()
}
