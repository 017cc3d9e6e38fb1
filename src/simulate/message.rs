//! One simulated message: its channel, its way through the statuses, its callbacks' bodies.

use std::fmt::Write;

use fastrand::Rng;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A step of a message's way: a status and an error code, as Twilio would send them.
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

/// What Twilio leaves as it is in a form.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The ways messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Sms,
    Mms,
    WhatsApp,
    Rcs,
}

/// A message that is on its way.
#[derive(Debug, Clone)]
pub struct Message {
    pub sid: String,
    pub channel: Channel,
    to: String,
    from: String,
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

    fn prefix(self) -> Option<&'static str> {
        match self {
            Channel::Sms | Channel::Mms => None,
            Channel::WhatsApp => Some("whatsapp"),
            Channel::Rcs => Some("rcs"),
        }
    }

    /// How a message of this channel fares, as a rule.
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

    /// How it fares while its carrier fails.
    pub fn way_of_failing_carrier(self) -> &'static [Step] {
        CARRIER_DOWN
    }
}

impl Message {
    /// A message that nobody has sent before.
    pub fn new(channel: Channel, rng: &mut Rng) -> Self {
        let kind = if channel == Channel::Mms { "MM" } else { "SM" };
        let address = |number: String| match channel.prefix() {
            Some(prefix) => format!("{prefix}:{number}"),
            None => number,
        };
        // Numbers of the range that North America keeps for fiction.
        let to = address(format!("+1555555{:04}", rng.u32(100..200)));
        Self {
            sid: format!("{kind}{}", hex(rng)),
            channel,
            to,
            from: address("+15555550100".to_owned()),
        }
    }

    /// The body of the callback that reports a step.
    pub fn body(&self, account_sid: &str, (status, error_code): Step) -> String {
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
            put("RawDlrDoneDate", "2611231504");
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
        put("From", &self.from);
        put("ApiVersion", "2010-04-01");
        body
    }
}

/// 32 hex digits.
pub fn hex(rng: &mut Rng) -> String {
    format!("{:032x}", rng.u128(..))
}
