//! SIDs, the identifiers of Twilio's resources, and the key of a message.

use std::fmt;

use smol_str::SmolStr;

/// The SID of an account. Twilio's are `AC` and 32 hex digits, but any non-empty text is accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountSid(SmolStr);

/// The SID of a message. Any non-empty text is accepted, so that every valid callback can be stored.
///
/// ```
/// use delivery_ledger::domain::MessageSid;
///
/// let sid = MessageSid::parse("SM04363cdd65ee4cb2b17e3bbf56ed084d").unwrap();
/// assert!(MessageSid::has_documented_form(sid.as_str()));
/// assert!(!MessageSid::has_documented_form("SMxxx"));
/// assert!(MessageSid::parse("").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageSid(SmolStr);

/// The key of a message. The account is part of it because two accounts may use the same message
/// SID; a callback may lack it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    /// The account; `None` for events that name none.
    pub account_sid: Option<AccountSid>,
    /// The SID of the message.
    pub message_sid: MessageSid,
}

impl MessageKey {
    /// True if it consists of these two SIDs.
    pub fn matches(&self, account_sid: Option<&str>, message_sid: &str) -> bool {
        self.message_sid.as_str() == message_sid
            && self.account_sid.as_ref().map(AccountSid::as_str) == account_sid
    }
}

impl AccountSid {
    /// Creates a SID; `None` if the text is empty.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(SmolStr::new(text)))
    }

    /// The SID as received.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if a SID has the form that Twilio documents: `AC` and 32 hex digits.
    pub fn has_documented_form(sid: &str) -> bool {
        let digits = sid.strip_prefix("AC");
        digits.is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    }
}

impl MessageSid {
    /// Creates a SID; `None` if the text is empty.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(SmolStr::new(text)))
    }

    /// The SID as received.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if a SID has the form that Twilio documents: `SM` or `MM` and 32 hex digits
    /// (<https://www.twilio.com/docs/messaging/api/message-resource>).
    pub fn has_documented_form(sid: &str) -> bool {
        let digits = sid.strip_prefix("SM").or_else(|| sid.strip_prefix("MM"));
        // No early exit, so that the compiler can vectorise the loop.
        let all_hex = |hex: &str| hex.bytes().fold(true, |all, b| all & b.is_ascii_hexdigit());
        digits.is_some_and(|hex| hex.len() == 32 && all_hex(hex))
    }

    /// True if a SID has the prefix that Twilio uses for messages with media.
    pub fn is_mms(sid: &str) -> bool {
        sid.starts_with("MM")
    }
}

impl fmt::Display for AccountSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MessageSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
