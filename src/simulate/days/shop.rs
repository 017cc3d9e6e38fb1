//! What the shop sends: login codes, news of parcels, a sale, and reminders, each from its sender.

use fastrand::Rng;

use super::chance::{choose, happens};
use super::market::{CHANNELS, Market};
use crate::simulate::message::{Channel, SimulatedMessage};

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    LoginCode,
    Parcel,
    Sale,
    Reminder,
}

/// A purpose with its share of messages, the tag `campaign`, the messaging service, and the sender in North America.
type Sending = (Purpose, f64, &'static str, Option<&'static str>, &'static str);

const SENDINGS: [Sending; 4] = [
    (Purpose::LoginCode, 0.30, "login", Some("MG0c5f1d3b7a9e48e2a6b4d8f01e2c3a59"), "+14155550100"),
    (Purpose::Parcel, 0.35, "shipping", Some("MG7e90b2a4c6d84f1fb3a5c7e9d1f20486"), "+12125550123"),
    (
        Purpose::Sale,
        0.25,
        "autumn-sale",
        Some("MG5b1c9d0e2f3a4b6c8d7e9f0a1b2c3d4e"),
        "+13125550177",
    ),
    (Purpose::Reminder, 0.10, "reminder", None, "+14155550142"),
];

/// Elsewhere SMS come from a name, WhatsApp from a number, RCS from an agent.
const NAME: &str = "Northwind";
const WHATSAPP_NUMBER: &str = "+442079460000";
const RCS_AGENT: &str = "northwind_shop_agent";

/// The number of the first order.
const FIRST_ORDER: u32 = 48_000;

/// The share of messages about a parcel that are the first about it.
const NEW_ORDERS: f64 = 0.6;

/// The shop, which counts its orders.
pub struct Shop {
    order: u32,
}

/// A message of the shop.
pub struct ShopMessage {
    pub message: SimulatedMessage,
    pub purpose: Purpose,
    /// The query of its callback URL, with its tags.
    pub query: String,
}

impl Default for Shop {
    fn default() -> Self {
        Self { order: FIRST_ORDER }
    }
}

impl Shop {
    /// The next message to somebody in a market.
    pub fn message(&mut self, market: &Market, rng: &mut Rng) -> ShopMessage {
        let sending = choose(SENDINGS.iter().map(|sending| sending.1), rng);
        let (purpose, _, campaign, service, north_american) = SENDINGS[sending];
        let channel = CHANNELS[choose(market.channels.iter().copied(), rng)];
        // Codes and reminders have no picture.
        let has_picture = [Purpose::Parcel, Purpose::Sale].contains(&purpose);
        let channel = if channel == Channel::Mms && !has_picture { Channel::Sms } else { channel };
        let from = match channel {
            Channel::WhatsApp => WHATSAPP_NUMBER,
            Channel::Rcs => RCS_AGENT,
            Channel::Sms | Channel::Mms if market.is_north_american() => north_american,
            Channel::Sms | Channel::Mms => NAME,
        };
        let message = SimulatedMessage {
            to: channel.address(&market.number(rng)),
            from: channel.address(from),
            sid: channel.message_sid(rng),
            channel,
            service,
        };
        let order = match purpose {
            Purpose::Parcel => format!("&order={}", self.order(rng)),
            _ => String::new(),
        };
        ShopMessage { message, purpose, query: format!("?campaign={campaign}{order}") }
    }

    /// A new order, or one of the last ones.
    fn order(&mut self, rng: &mut Rng) -> u32 {
        if happens(NEW_ORDERS, rng) {
            self.order += 1;
            return self.order;
        }
        self.order - rng.u32(0..=50).min(self.order - FIRST_ORDER)
    }
}
