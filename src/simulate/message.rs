//! A simulated message: its channel, its sequence of statuses, and the bodies of its callbacks.

use std::fmt::Write;
use std::ops::RangeInclusive;

use fastrand::Rng;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A step of a message's lifecycle: a status and an error code, as Twilio would send them.
pub type Step = (&'static str, Option<u32>);

const DELIVERED: &[Step] = &[("sent", None), ("delivered", None)];
const READ: &[Step] = &[("sent", None), ("delivered", None), ("read", None)];
const OPEN: &[Step] = &[("sent", None)];
const FILTERED: &[Step] = &[("sent", None), ("undelivered", Some(30007))];
const UNREACHABLE: &[Step] = &[("sent", None), ("undelivered", Some(30003))];
const CARRIER_DOWN: &[Step] = &[("sent", None), ("undelivered", Some(30008))];
const UNSUBSCRIBED: &[Step] = &[("failed", Some(21610))];
const OUTSIDE_WINDOW: &[Step] = &[("sent", None), ("undelivered", Some(63016))];
/// Delivered after all: one segment was refused, another arrived.
pub const CONTRADICTING: &[Step] =
    &[("sent", None), ("undelivered", Some(30005)), ("delivered", None)];

/// The first callback of a message that a messaging service sends. Its first status, `accepted`, is only
/// in Twilio's response to the request, not in a callback.
pub const QUEUED: Step = ("queued", None);

/// The characters that Twilio escapes in a form.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The channel of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// A text message.
    Sms,
    /// A message with media.
    Mms,
    /// A message on WhatsApp, which reports `read`.
    WhatsApp,
    /// A message on RCS, which reports `read`.
    Rcs,
}

/// The messaging services that send messages.
const SERVICES: [&str; 2] =
    ["MG0c5f1d3b7a9e48e2a6b4d8f01e2c3a59", "MG7e90b2a4c6d84f1fb3a5c7e9d1f20486"];

/// A range of telephone numbers that a country's authority reserves for fiction.
struct Numbers {
    /// The common prefix.
    prefix: &'static str,
    /// The digits after it.
    rest: RangeInclusive<u32>,
    /// The number of these digits.
    width: usize,
}

/// North America: 555-0100 to 555-0199 of each area code (NANPA); London: 020 7946 0000 to
/// 0999 (Ofcom; its mobile range, 07700 900, is in no table of countries); Germany: 0171 39200-00 to -99 (Bundesnetzagentur); France: 06 39 98 00 00 to
/// 99 99 (Arcep); Australia: 0491 570 156 to 159 (ACMA); Sweden: 070-174 06 05 to 99 (PTS).
const RECIPIENTS: [Numbers; 9] = [
    Numbers { prefix: "+1212555", rest: 101..=199, width: 4 },
    Numbers { prefix: "+1312555", rest: 101..=199, width: 4 },
    Numbers { prefix: "+1415555", rest: 101..=199, width: 4 },
    Numbers { prefix: "+1613555", rest: 101..=199, width: 4 },
    Numbers { prefix: "+442079460", rest: 1..=999, width: 3 },
    Numbers { prefix: "+4917139200", rest: 0..=99, width: 2 },
    Numbers { prefix: "+3363998", rest: 0..=9999, width: 4 },
    Numbers { prefix: "+61491570", rest: 156..=159, width: 3 },
    Numbers { prefix: "+46701740", rest: 605..=699, width: 3 },
];

/// The sender of messages to North America.
const NORTH_AMERICAN_SENDER: &str = "+14155550100";
/// The sender of all others.
const BRITISH_SENDER: &str = "+442079460000";

/// A message in transit.
#[derive(Debug, Clone)]
pub struct SimulatedMessage {
    /// The SID of the message.
    pub sid: String,
    /// The channel.
    pub channel: Channel,
    /// The recipient.
    pub to: String,
    /// The sender.
    pub from: String,
    /// The messaging service that sends it, if one does.
    pub service: Option<&'static str>,
}

impl Channel {
    /// Half SMS, a quarter WhatsApp, the rest RCS and MMS.
    pub fn any(rng: &mut Rng) -> Self {
        match rng.u32(0..100) {
            0..50 => Channel::Sms,
            50..62 => Channel::Mms,
            62..87 => Channel::WhatsApp,
            _ => Channel::Rcs,
        }
    }

    /// The prefix of its addresses; `None` if they are telephone numbers.
    pub fn prefix(self) -> Option<&'static str> {
        match self {
            Channel::Sms | Channel::Mms => None,
            Channel::WhatsApp => Some("whatsapp"),
            Channel::Rcs => Some("rcs"),
        }
    }

    /// A number as an address of this channel.
    pub fn address(self, number: &str) -> String {
        match self.prefix() {
            Some(prefix) => format!("{prefix}:{number}"),
            None => number.to_owned(),
        }
    }

    /// A random SID of a message.
    pub fn message_sid(self, rng: &mut Rng) -> String {
        let kind = if self == Channel::Mms { "MM" } else { "SM" };
        format!("{kind}{}", hex(rng))
    }

    /// Picks the steps of a usual message of this channel.
    pub fn way(self, rng: &mut Rng) -> &'static [Step] {
        match (rng.u32(0..100), self.prefix()) {
            (0..80, Some(_)) => READ,
            (80..90, Some(_)) => DELIVERED,
            (90..98, Some(_)) => OUTSIDE_WINDOW,
            (0..85, None) => DELIVERED,
            (85..91, None) => FILTERED,
            (91..95, None) => UNREACHABLE,
            (95..97, None) => UNSUBSCRIBED,
            _ => OPEN,
        }
    }

    /// The steps of a message while its carrier fails.
    pub fn way_of_failing_carrier(self) -> &'static [Step] {
        CARRIER_DOWN
    }
}

impl SimulatedMessage {
    /// A new message with random SID and addresses.
    pub fn new(channel: Channel, rng: &mut Rng) -> Self {
        let to = RECIPIENTS[rng.usize(..RECIPIENTS.len())].any(rng);
        let from = if to.starts_with("+1") { NORTH_AMERICAN_SENDER } else { BRITISH_SENDER };
        let sid = channel.message_sid(rng);
        Self { sid, channel, to: channel.address(&to), from: channel.address(from), service: None }
    }

    /// The same, sent by a messaging service.
    pub fn by_a_service(self) -> Self {
        let service = match self.channel {
            Channel::Sms | Channel::Mms => SERVICES[0],
            Channel::WhatsApp | Channel::Rcs => SERVICES[1],
        };
        Self { service: Some(service), ..self }
    }

    /// The body of the callback that reports a step. `receipt` is the time in the carrier's receipt, as
    /// `YYMMDDhhmm`.
    pub fn body(&self, account_sid: &str, (status, error_code): Step, receipt: &str) -> String {
        let mut body = String::with_capacity(480);
        let mut put = |name: &str, value: &str| {
            let separator = if body.is_empty() { "" } else { "&" };
            let value = utf8_percent_encode(value, FORM);
            write!(body, "{separator}{name}={value}").expect("a String takes everything");
        };
        if let Some(prefix) = self.channel.prefix().filter(|_| status != "queued") {
            put("EventType", &status.to_uppercase());
            put("ChannelPrefix", prefix);
        } else if status == "delivered" || status == "undelivered" {
            put("RawDlrDoneDate", receipt);
        }
        if let Some(code) = error_code {
            put("ErrorCode", &code.to_string());
        }
        put("SmsSid", &self.sid);
        put("SmsStatus", status);
        put("MessageStatus", status);
        put("To", &self.to);
        put("MessageSid", &self.sid);
        put("AccountSid", account_sid);
        if let Some(service) = self.service {
            put("MessagingServiceSid", service);
        }
        put("From", &self.from);
        put("ApiVersion", "2010-04-01");
        body
    }
}

impl Numbers {
    fn any(&self, rng: &mut Rng) -> String {
        let Self { prefix, rest, width } = self;
        format!("{prefix}{:0width$}", rng.u32(rest.clone()))
    }
}

/// 32 hex digits.
pub fn hex(rng: &mut Rng) -> String {
    format!("{:032x}", rng.u128(..))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fastrand::Rng;

    use super::{Channel, SimulatedMessage};
    use crate::domain::country::Country;

    #[test]
    fn recipients_and_senders_lie_in_countries() {
        let mut rng = Rng::with_seed(1);
        let mut countries = BTreeSet::new();
        for _ in 0..500 {
            let message = SimulatedMessage::new(Channel::any(&mut rng), &mut rng);
            for address in [&message.to, &message.from] {
                let country = Country::from_address(address);
                countries.insert(country.unwrap_or_else(|| panic!("{address}")).to_string());
            }
        }
        let expected = ["AU", "CA", "DE", "FR", "GB", "SE", "US"].map(str::to_owned);
        assert_eq!(countries, BTreeSet::from(expected));
    }
}
