//! The links in a message's JSON: paths of the admin listener, relative to its address.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Position;

/// Bytes that are escaped in a SID: all but those that a URL never needs to escape (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The links of a message.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MessageLinks {
    /// The message as it is now
    #[serde(rename = "self")]
    itself: String,
    /// Its events as they came, page by page
    events: String,
}

/// The links of one entry of a timeline.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EntryLinks {
    /// The whole event
    event: String,
    /// The bytes of its body. Missing if addresses are masked, because these bytes are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    body: Option<String>,
}

impl MessageLinks {
    /// The links of the message of this account, or of none, with this SID.
    pub fn new(account_sid: Option<&str>, message_sid: &str) -> Self {
        let escaped = |sid| utf8_percent_encode(sid, ESCAPED);
        let (message, account) = (escaped(message_sid), escaped(account_sid.unwrap_or_default()));
        let of_account =
            account_sid.map_or_else(String::new, |_| format!("account_sid={account}&"));
        Self {
            itself: format!("/v1/messages/{message}?account_sid={account}"),
            events: format!("/v1/events?{of_account}message_sid={message}"),
        }
    }
}

impl EntryLinks {
    /// The links of the event at this position.
    pub fn new(position: Position) -> Self {
        let event = format!("/v1/events/{position}");
        Self { body: Some(format!("{event}/body")), event }
    }

    /// The links that a token with masked addresses may follow.
    pub fn masked(self) -> Self {
        Self { body: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::MessageLinks;

    #[test]
    fn a_sid_cannot_lead_elsewhere() {
        let links = MessageLinks::new(Some("AC&x"), "SM/../a?b#c d%");
        assert_eq!(links.itself, "/v1/messages/SM%2F..%2Fa%3Fb%23c%20d%25?account_sid=AC%26x");
        let none = MessageLinks::new(None, "SM1");
        assert_eq!(none.itself, "/v1/messages/SM1?account_sid=");
        assert_eq!(none.events, "/v1/events?message_sid=SM1");
    }
}
