//! Filters for messages, shared by lists, exports and reports.

use crate::domain::country::Country;
use crate::domain::message::message_ref::MessageRef;
use crate::domain::{AccountSid, ErrorCode, Status, Timestamp};

/// Conditions on the current state of a message. A message must satisfy all that are set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MessageFilter {
    /// `Some(None)` selects messages without a recognised status.
    pub status: Option<Option<Status>>,
    /// The error code shown for the message.
    pub error_code: Option<ErrorCode>,
    /// The sender.
    pub from: Option<AddressPattern>,
    /// The recipient.
    pub to: Option<AddressPattern>,
    /// The recipient's or the sender's.
    pub address: Option<AddressPattern>,
    /// The account of the message.
    pub account_sid: Option<AccountSid>,
    /// The SID of the messaging service that sent it.
    pub messaging_service_sid: Option<String>,
    /// The channel, such as `sms` or `whatsapp`.
    pub channel: Option<String>,
    /// The country of the recipient's number.
    pub country: Option<Country>,
    /// The first event was received at this time or later.
    pub since: Option<Timestamp>,
    /// The first event was received before this time.
    pub until: Option<Timestamp>,
    /// Whether there is evidence of both success and failure.
    pub conflict: Option<bool>,
    /// Whether any event is late.
    pub late: Option<bool>,
    /// Whether any event is a duplicate.
    pub duplicate: Option<bool>,
    /// Whether it is outbound and its outcome is not known yet.
    pub open: Option<bool>,
    /// Open, and began at this time or earlier; see [`MessageRef::began_at`].
    pub stuck_since: Option<Timestamp>,
    /// Began at this time or later; see [`MessageRef::began_at`].
    pub begun_since: Option<Timestamp>,
    /// Whether every reported status is inbound.
    pub inbound: Option<bool>,
    /// Whether its price is known.
    pub priced: Option<bool>,
    /// Whether every event was simulated.
    pub simulated: Option<bool>,
    /// Names and values of tags, all of which the message has.
    pub tags: Vec<(String, String)>,
}

/// A pattern for addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AddressPattern {
    /// Any of these addresses: the ways in which one written address can be understood.
    AnyOf(Vec<Candidate>),
    /// The last digits of a number.
    Suffix(String),
    /// The first digits of a number, with their `+`, on every channel.
    Prefix(String),
}

/// An address that was possibly meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Candidate {
    /// Exactly this address.
    Address(String),
    /// This number on every channel: alone, or after a prefix and a colon, as in `whatsapp:+1415…`.
    Number(String),
}

/// The minimum number of digits in a suffix. Fewer would match too many addresses.
pub const SUFFIX_DIGITS_MIN: usize = 4;

impl AddressPattern {
    /// Parses `*` and at least four digits, `+`, digits and `*`, or else exactly one address. An unescaped
    /// `+` in a URL's query arrives as a space.
    ///
    /// ```
    /// use delivery_ledger::domain::message::filter::AddressPattern;
    ///
    /// let ending = AddressPattern::parse("*2671").unwrap();
    /// assert!(ending.matches("whatsapp:+14155552671"));
    /// assert!(AddressPattern::parse("+14155552671").unwrap().matches("+14155552671"));
    /// assert!(AddressPattern::parse("+1415*").unwrap().matches("whatsapp:+14155552671"));
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
            None if text.ends_with('*') => {
                let number = text.trim_end_matches('*');
                let digits = number.strip_prefix(['+', ' '])?;
                let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
                (are_digits && !digits.is_empty() && text.len() == number.len() + 1)
                    .then(|| AddressPattern::Prefix(format!("+{digits}")))
            }
            // No address has one, so it is a mistake.
            None if text.contains('*') => None,
            None => Some(AddressPattern::AnyOf(vec![Candidate::Address(text.to_owned())])),
        }
    }

    /// The addresses searched for, or `*` and the last digits.
    pub fn texts(&self) -> Vec<String> {
        match self {
            AddressPattern::AnyOf(candidates) => {
                candidates.iter().map(|one| one.as_str().to_owned()).collect()
            }
            AddressPattern::Suffix(digits) => vec![format!("*{digits}")],
            AddressPattern::Prefix(number) => vec![format!("{number}*")],
        }
    }

    /// True if the address matches.
    pub fn matches(&self, address: &str) -> bool {
        match self {
            AddressPattern::AnyOf(candidates) => candidates.iter().any(|one| one.matches(address)),
            AddressPattern::Suffix(digits) => address.ends_with(digits),
            AddressPattern::Prefix(number) => {
                let number_of = address.rsplit_once(':').map_or(address, |(_, rest)| rest);
                number_of.starts_with(number)
            }
        }
    }
}

impl Candidate {
    /// The text of the address or number.
    pub fn as_str(&self) -> &str {
        match self {
            Candidate::Address(text) | Candidate::Number(text) => text,
        }
    }

    fn matches(&self, address: &str) -> bool {
        match self {
            Candidate::Address(exact) => exact == address,
            Candidate::Number(number) => address
                .strip_suffix(&**number)
                .is_some_and(|prefix| prefix.is_empty() || prefix.ends_with(':')),
        }
    }
}

impl MessageFilter {
    /// The addresses that are searched for, those of the recipient first. A number matches on every
    /// channel.
    pub fn searched_for(&self) -> Vec<String> {
        let patterns = self.to.iter().chain(&self.from).chain(&self.address);
        patterns.flat_map(AddressPattern::texts).collect()
    }

    /// True if the message satisfies every condition.
    pub fn matches(&self, message: &MessageRef<'_>) -> bool {
        self.matches_addresses(message) && self.matches_state(message) && self.matches_tags(message)
    }

    fn matches_addresses(&self, message: &MessageRef<'_>) -> bool {
        let address = |pattern: &Option<AddressPattern>, address: Option<&str>| {
            let matches =
                |pattern: &AddressPattern| address.is_some_and(|text| pattern.matches(text));
            pattern.as_ref().is_none_or(matches)
        };
        let either = |pattern: &AddressPattern| {
            [message.to, message.from].into_iter().flatten().any(|text| pattern.matches(text))
        };
        address(&self.from, message.from)
            && address(&self.to, message.to)
            && self.address.as_ref().is_none_or(either)
            && self.channel.as_deref().is_none_or(|wanted| message.channel == wanted)
            && self
                .country
                .is_none_or(|wanted| message.to.and_then(Country::from_address) == Some(wanted))
            && equal(self.messaging_service_sid.as_deref(), message.messaging_service_sid)
            && equal(self.account_sid.as_ref().map(AccountSid::as_str), message.account_sid)
    }

    fn matches_tags(&self, message: &MessageRef<'_>) -> bool {
        self.tags
            .iter()
            .all(|(name, value)| message.tags.contains(&(name.as_str(), value.as_str())))
    }

    fn matches_state(&self, message: &MessageRef<'_>) -> bool {
        let first_received_at = message.first_received_at;
        let is = |wanted: Option<bool>, actual: bool| wanted.is_none_or(|wanted| wanted == actual);
        let stuck = |by: Timestamp| message.is_open() && message.began_at() <= by;
        self.status.is_none_or(|wanted| wanted == message.status)
            && equal(self.error_code, message.error_code)
            && self.since.is_none_or(|since| first_received_at >= since)
            && self.until.is_none_or(|until| first_received_at < until)
            && is(self.conflict, message.has_conflict())
            && is(self.late, message.late)
            && is(self.duplicate, message.duplicate)
            && is(self.open, message.is_open())
            && is(self.inbound, message.kinds.is_inbound())
            && is(self.simulated, message.kinds.is_simulated())
            && is(self.priced, message.details.price().is_some())
            && self.stuck_since.is_none_or(stuck)
            && self.begun_since.is_none_or(|since| message.began_at() >= since)
    }
}

fn equal<T: PartialEq>(wanted: Option<T>, actual: Option<T>) -> bool {
    wanted.is_none() || wanted == actual
}
