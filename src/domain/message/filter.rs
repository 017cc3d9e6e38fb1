//! Which messages are asked for, in lists, exports and reports alike.

use crate::domain::message::message_ref::MessageRef;
use crate::domain::{AccountSid, ErrorCode, Status, Timestamp};

/// Conditions that a message has to meet, all of them; without any, every message does.
///
/// They are about the message as it stands, so that its address is that of the deciding event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// `Some(None)` is a message of which no known status was heard.
    pub status: Option<Option<Status>>,
    /// The code that is shown with the message.
    pub error_code: Option<ErrorCode>,
    pub from: Option<AddressPattern>,
    pub to: Option<AddressPattern>,
    pub account_sid: Option<AccountSid>,
    pub messaging_service_sid: Option<String>,
    pub channel: Option<String>,
    /// First received then or later.
    pub since: Option<Timestamp>,
    /// First received before.
    pub until: Option<Timestamp>,
    pub conflict: Option<bool>,
    /// Whether any of its events came late.
    pub late: Option<bool>,
    /// Whether any of its events came twice.
    pub duplicate: Option<bool>,
    /// Open, and begun by then.
    pub stuck_since: Option<Timestamp>,
    /// Begun then or later; see [`MessageRef::began_at`].
    pub begun_since: Option<Timestamp>,
    /// Whether all of its statuses are inbound.
    pub inbound: Option<bool>,
    /// Whether a simulation sent all of its events.
    pub simulated: Option<bool>,
}

/// An address, whole or by how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressPattern {
    Exact(String),
    /// The last digits, which people know of a number.
    Suffix(String),
}

/// Fewer digits would fit too many addresses to be of any help.
pub const SUFFIX_DIGITS_MIN: usize = 4;

impl AddressPattern {
    /// Reads an address, or `*` and at least four digits. A leading blank is a `+` that was not
    /// escaped.
    ///
    /// ```
    /// use delivery_ledger::domain::message::filter::AddressPattern;
    ///
    /// let ending = AddressPattern::parse("*2671").unwrap();
    /// assert!(ending.matches("whatsapp:+14155552671"));
    /// assert_eq!(AddressPattern::parse(" 1415"), AddressPattern::parse("+1415"));
    /// assert_eq!(AddressPattern::parse("*671"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('*') {
            Some(digits) => {
                let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
                (are_digits && digits.len() >= SUFFIX_DIGITS_MIN)
                    .then(|| AddressPattern::Suffix(digits.to_owned()))
            }
            None if text.is_empty() => None,
            None => Some(AddressPattern::Exact(match text.strip_prefix(' ') {
                Some(number) => format!("+{number}"),
                None => text.to_owned(),
            })),
        }
    }

    /// Whether an address is meant.
    pub fn matches(&self, address: &str) -> bool {
        match self {
            AddressPattern::Exact(whole) => whole == address,
            AddressPattern::Suffix(digits) => address.ends_with(digits),
        }
    }
}

impl MessageFilter {
    /// Whether a message is asked for.
    pub fn matches(&self, message: &MessageRef<'_>) -> bool {
        self.matches_addressed(message) && self.matches_rest(message)
    }

    fn matches_addressed(&self, message: &MessageRef<'_>) -> bool {
        let address = |pattern: &Option<AddressPattern>, address: Option<&str>| {
            let fits = |pattern: &AddressPattern| address.is_some_and(|text| pattern.matches(text));
            pattern.as_ref().is_none_or(fits)
        };
        address(&self.from, message.from)
            && address(&self.to, message.to)
            && self.channel.as_deref().is_none_or(|wanted| message.channel == wanted)
            && equal(self.messaging_service_sid.as_deref(), message.messaging_service_sid)
            && equal(self.account_sid.as_ref().map(AccountSid::as_str), message.account_sid)
    }

    fn matches_rest(&self, message: &MessageRef<'_>) -> bool {
        let first_received_at = message.first_received_at;
        let is = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        let stuck = |by: Timestamp| message.is_open() && message.began_at() <= by;
        self.status.is_none_or(|wanted| wanted == message.status)
            && equal(self.error_code, message.error_code)
            && self.since.is_none_or(|since| first_received_at >= since)
            && self.until.is_none_or(|until| first_received_at < until)
            && is(self.conflict, message.has_conflict())
            && is(self.late, message.late)
            && is(self.duplicate, message.duplicate)
            && is(self.inbound, message.kinds.is_inbound())
            && is(self.simulated, message.kinds.is_simulated())
            && self.stuck_since.is_none_or(stuck)
            && self.begun_since.is_none_or(|since| message.began_at() >= since)
    }
}

fn equal<T: PartialEq>(wanted: Option<T>, have: Option<T>) -> bool {
    wanted.is_none() || wanted == have
}
