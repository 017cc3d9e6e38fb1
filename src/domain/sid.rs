//! The identifiers of Twilio's resources, and the pair that names one message.

use std::fmt;

use smol_str::SmolStr;

/// An account's SID: any non-empty text; Twilio's own are `AC` and 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountSid(SmolStr);

/// A message's SID: any non-empty text, because a callback is kept whatever it says.
///
/// ```
/// use delivery_ledger::domain::MessageSid;
///
/// let usual = MessageSid::parse("SM04363cdd65ee4cb2b17e3bbf56ed084d").unwrap();
/// assert!(MessageSid::has_documented_form(usual.as_str()));
/// assert!(!MessageSid::has_documented_form("SMxxx"));
/// assert!(MessageSid::parse("").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageSid(SmolStr);

/// What names one message: two accounts may use the same message SID,
/// and a callback may come without an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    pub account_sid: Option<AccountSid>,
    pub message_sid: MessageSid,
}

impl MessageKey {
    /// Whether it consists of these two SIDs.
    pub fn matches(&self, account_sid: Option<&str>, message_sid: &str) -> bool {
        self.message_sid.as_str() == message_sid
            && self.account_sid.as_ref().map(AccountSid::as_str) == account_sid
    }
}

impl AccountSid {
    /// The SID, or nothing where the text is empty.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(SmolStr::new(text)))
    }

    /// The SID as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl MessageSid {
    /// The SID, or nothing where the text is empty.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(SmolStr::new(text)))
    }

    /// The SID as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a SID has the form Twilio documents: `SM` or `MM` and 32 hex digits
    /// (<https://www.twilio.com/docs/messaging/api/message-resource>).
    pub fn has_documented_form(sid: &str) -> bool {
        let digits = sid.strip_prefix("SM").or_else(|| sid.strip_prefix("MM"));
        // Without a way out in between, the compiler compares many digits at a time.
        let all_hex = |hex: &str| hex.bytes().fold(true, |all, b| all & b.is_ascii_hexdigit());
        digits.is_some_and(|hex| hex.len() == 32 && all_hex(hex))
    }

    /// Whether a SID is one of the kind Twilio gives to messages with media.
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
