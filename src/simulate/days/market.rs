//! The countries that the shop sends to, with their time of day, their numbers and their channels.

use std::ops::RangeInclusive;

use fastrand::Rng;

use crate::simulate::message::{Channel, SimulatedMessage};

/// The recipients of a country, or of a time zone of it.
pub struct Market {
    /// The offset of its standard time from UTC in hours: in summer its day is an hour early.
    pub utc_offset: i64,
    /// Its share of all messages.
    pub share: f64,
    /// The share of each channel: SMS, MMS, WhatsApp, RCS.
    pub channels: [f64; 4],
    /// The beginnings of its numbers, and the digits after them. Authorities reserve these for fiction.
    prefixes: &'static [&'static str],
    rest: RangeInclusive<u32>,
    width: usize,
}

pub const CHANNELS: [Channel; 4] = [Channel::Sms, Channel::Mms, Channel::WhatsApp, Channel::Rcs];

const NORTH_AMERICAN: [f64; 4] = [0.82, 0.09, 0.0, 0.09];
const EUROPEAN: [f64; 4] = [0.58, 0.0, 0.30, 0.12];

/// The shares of all are 1 together. The numbers are those of `message.rs`, with more area codes.
pub const MARKETS: [Market; 9] = [
    // United States, Eastern Time.
    Market {
        utc_offset: -5,
        share: 0.27,
        channels: NORTH_AMERICAN,
        prefixes: &[
            "+1212555", "+1202555", "+1215555", "+1305555", "+1313555", "+1404555", "+1617555",
            "+1704555",
        ],
        rest: 100..=199,
        width: 4,
    },
    // Central Time.
    Market {
        utc_offset: -6,
        share: 0.16,
        channels: NORTH_AMERICAN,
        prefixes: &["+1214555", "+1312555", "+1504555", "+1612555", "+1615555", "+1713555"],
        rest: 100..=199,
        width: 4,
    },
    // Pacific Time.
    Market {
        utc_offset: -8,
        share: 0.13,
        channels: NORTH_AMERICAN,
        prefixes: &["+1206555", "+1213555", "+1415555", "+1503555", "+1619555", "+1702555"],
        rest: 100..=199,
        width: 4,
    },
    // Canada.
    Market {
        utc_offset: -5,
        share: 0.06,
        channels: NORTH_AMERICAN,
        prefixes: &["+1416555", "+1514555", "+1613555"],
        rest: 100..=199,
        width: 4,
    },
    // Great Britain.
    Market {
        utc_offset: 0,
        share: 0.13,
        channels: EUROPEAN,
        prefixes: &["+442079460"],
        rest: 1..=999,
        width: 3,
    },
    // Germany.
    Market {
        utc_offset: 1,
        share: 0.10,
        channels: EUROPEAN,
        prefixes: &["+4917139200"],
        rest: 0..=99,
        width: 2,
    },
    // France.
    Market {
        utc_offset: 1,
        share: 0.09,
        channels: EUROPEAN,
        prefixes: &["+3363998"],
        rest: 0..=9999,
        width: 4,
    },
    // Sweden.
    Market {
        utc_offset: 1,
        share: 0.04,
        channels: EUROPEAN,
        prefixes: &["+46701740"],
        rest: 605..=699,
        width: 3,
    },
    // Australia.
    Market {
        utc_offset: 10,
        share: 0.02,
        channels: [0.8, 0.0, 0.1, 0.1],
        prefixes: &["+61491570"],
        rest: 156..=159,
        width: 3,
    },
];

/// The share of messages to its numbers that the carrier filters.
pub const FILTERED_SHARE: f64 = 0.94;

impl Market {
    /// A random number.
    pub fn number(&self, rng: &mut Rng) -> String {
        let Self { prefixes, rest, width, .. } = self;
        let prefix = prefixes[rng.usize(..prefixes.len())];
        format!("{prefix}{:0width$}", rng.u32(rest.clone()))
    }

    /// True if it is in North America, with Canada.
    pub fn is_north_american(&self) -> bool {
        self.prefixes[0].starts_with("+1")
    }

    /// True if it is in the United States.
    pub fn is_us(&self) -> bool {
        const CANADIAN: &str = "+1416555";
        self.is_north_american() && self.prefixes[0] != CANADIAN
    }
}

/// True if the message goes through the carrier that filters: it has the numbers in the United States that end with
/// 0 to 3.
pub fn is_of_filtering_carrier(market: &Market, message: &SimulatedMessage) -> bool {
    market.is_us()
        && message.channel.prefix().is_none()
        && message.to.ends_with(['0', '1', '2', '3'])
}
