//! Believable callbacks: every channel, with the faults that real ones have.

use std::fmt::Write;

use fastrand::Rng;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The path that the demo's callbacks are sent to.
pub const CALLBACK_PATH: &str = "/message-status";

const MESSAGES: u64 = 300;
/// In a thousand callbacks.
const DOUBLED: u32 = 60;
const LOST: u32 = 25;

/// One callback on its way.
#[derive(Debug, Clone)]
pub struct Callback {
    pub body: String,
    pub idempotency_token: String,
}

/// Everything that is sent, in the order in which it arrives.
pub struct Traffic {
    pub account_sid: String,
    pub auth_token: String,
    pub messages: u64,
    pub callbacks: Vec<Callback>,
    /// A message whose callbacks arrive in this order, the wrong one.
    pub featured: Vec<Callback>,
    pub featured_sid: String,
    /// A message that was both delivered and not.
    pub conflicting_sid: String,
}

/// A step of a message's way: a status and an error code, as Twilio would send them.
type Step = (&'static str, Option<u32>);

const DELIVERED: &[Step] = &[("sent", None), ("delivered", None)];
const READ: &[Step] = &[("sent", None), ("delivered", None), ("read", None)];
const OPEN: &[Step] = &[("sent", None)];
const FILTERED: &[Step] = &[("sent", None), ("undelivered", Some(30007))];
const UNREACHABLE: &[Step] = &[("sent", None), ("undelivered", Some(30003))];
const UNSUBSCRIBED: &[Step] = &[("failed", Some(21610))];
const OUTSIDE_WINDOW: &[Step] = &[("sent", None), ("undelivered", Some(63016))];
const CONTRADICTING: &[Step] = &[("sent", None), ("undelivered", Some(30005)), ("delivered", None)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Channel {
    Sms,
    Mms,
    WhatsApp,
    Rcs,
}

impl Traffic {
    /// The same traffic for the same seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let account_sid = format!("AC{}", hex(&mut rng));
        let mut sender = Sender { account_sid: account_sid.clone(), rng };
        let auth_token = hex(&mut sender.rng);
        let mut arriving: Vec<(u32, Callback)> = Vec::new();
        for _ in 0..MESSAGES - 2 {
            let channel = sender.channel();
            let steps = sender.way(channel);
            sender.send(channel, steps, &mut arriving);
        }
        let conflicting_sid = sender.send(Channel::Sms, CONTRADICTING, &mut arriving);
        arriving.sort_by_key(|(at, _)| *at);
        let (featured_sid, featured) = sender.featured();
        let mut callbacks: Vec<_> = arriving.into_iter().map(|(_, callback)| callback).collect();
        callbacks.extend(featured.iter().cloned());
        Self {
            account_sid,
            auth_token,
            messages: MESSAGES,
            callbacks,
            featured,
            featured_sid,
            conflicting_sid,
        }
    }

    /// All but the featured message's callbacks.
    pub fn others(&self) -> &[Callback] {
        &self.callbacks[..self.callbacks.len() - self.featured.len()]
    }
}

struct Sender {
    account_sid: String,
    rng: Rng,
}

impl Sender {
    fn channel(&mut self) -> Channel {
        match self.rng.u32(0..100) {
            0..50 => Channel::Sms,
            50..62 => Channel::Mms,
            62..87 => Channel::WhatsApp,
            _ => Channel::Rcs,
        }
    }

    fn way(&mut self, channel: Channel) -> &'static [Step] {
        let receipts = channel == Channel::WhatsApp || channel == Channel::Rcs;
        match (self.rng.u32(0..100), receipts) {
            (0..80, true) => READ,
            (80..90, true) => DELIVERED,
            (90..98, true) => OUTSIDE_WINDOW,
            (0..82, false) => DELIVERED,
            (82..88, false) => FILTERED,
            (88..92, false) => UNREACHABLE,
            (92..94, false) => UNSUBSCRIBED,
            (94..97, false) => CONTRADICTING,
            _ => OPEN,
        }
    }

    /// Sends one message: its callbacks with the moments at which they arrive.
    fn send(
        &mut self,
        channel: Channel,
        steps: &[Step],
        arriving: &mut Vec<(u32, Callback)>,
    ) -> String {
        let message = Message::new(channel, &mut self.rng);
        let sent_at = self.rng.u32(0..10_000);
        for (step, index) in steps.iter().zip(0..) {
            let callback = self.callback(&message, *step);
            // A step takes 100, a callback's way up to 200: some overtake those before them.
            let mut arrives = || sent_at + 100 * index + self.rng.u32(0..200);
            let (at, again_at) = (arrives(), arrives());
            if self.rng.u32(0..1000) >= LOST {
                arriving.push((at, callback.clone()));
            }
            if self.rng.u32(0..1000) < DOUBLED {
                arriving.push((again_at, callback));
            }
        }
        message.sid
    }

    /// A message that is delivered first, then sent, then delivered once more, then queued.
    fn featured(&mut self) -> (String, Vec<Callback>) {
        let message = Message::new(Channel::Sms, &mut self.rng);
        let delivered = self.callback(&message, ("delivered", None));
        let sent = self.callback(&message, ("sent", None));
        let queued = self.callback(&message, ("queued", None));
        (message.sid, vec![delivered.clone(), sent, delivered, queued])
    }

    fn callback(&mut self, message: &Message, (status, error_code): Step) -> Callback {
        let Message { sid, channel, to, from } = message;
        let mut body = String::new();
        let mut put = |name: &str, value: &str| {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            let separator = if body.is_empty() { "" } else { "&" };
            write!(body, "{separator}{name}={value}").expect("a String takes everything");
        };
        if let Some(prefix) = channel.prefix().filter(|_| status != "queued") {
            put("EventType", &status.to_uppercase());
            put("ChannelPrefix", prefix);
        } else if status == "delivered" || status == "undelivered" {
            put("RawDlrDoneDate", "2611231504");
        }
        if let Some(code) = error_code {
            put("ErrorCode", &code.to_string());
        }
        put("SmsSid", sid);
        put("SmsStatus", status);
        put("MessageStatus", status);
        put("To", to);
        put("MessageSid", sid);
        put("AccountSid", &self.account_sid);
        put("From", from);
        put("ApiVersion", "2010-04-01");
        Callback { body, idempotency_token: uuid(&mut self.rng) }
    }
}

struct Message {
    sid: String,
    channel: Channel,
    to: String,
    from: String,
}

impl Message {
    fn new(channel: Channel, rng: &mut Rng) -> Self {
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
}

impl Channel {
    fn prefix(self) -> Option<&'static str> {
        match self {
            Channel::Sms | Channel::Mms => None,
            Channel::WhatsApp => Some("whatsapp"),
            Channel::Rcs => Some("rcs"),
        }
    }
}

fn hex(rng: &mut Rng) -> String {
    format!("{:032x}", rng.u128(..))
}

fn uuid(rng: &mut Rng) -> String {
    uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid().to_string()
}
