//! What becomes of a message, and how long each step of it takes. Shares and times are those of usual traffic.

use fastrand::Rng;

use super::chance::{exponential, happens, log_normal};
use super::market::Market;
use super::shop::{Purpose, ShopMessage};
use crate::simulate::message::{Channel, QUEUED, Step};

/// A step of a message, and the seconds since the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    pub step: Step,
    pub after: f64,
}

/// A failure that occurs now and then.
struct Failure {
    code: u32,
    status: &'static str,
    /// The share of the messages that it can befall.
    share: f64,
    /// Half of them are reported within this number of seconds.
    median: f64,
    befalls: Befalls,
}

/// The messages that a failure can befall.
#[derive(Debug, Clone, Copy)]
enum Befalls {
    Telephones,
    UsTelephones,
    WhatsApp,
    WhatsAppSales,
    WhatsAppAndRcs,
}

const fn failure(
    code: u32,
    status: &'static str,
    share: f64,
    median: f64,
    befalls: Befalls,
) -> Failure {
    Failure { code, status, share, median, befalls }
}

const FAILURES: [Failure; 13] = [
    failure(30003, "undelivered", 0.0095, 1500.0, Befalls::Telephones),
    failure(30005, "undelivered", 0.0055, 3.0, Befalls::Telephones),
    failure(21610, "failed", 0.0035, 0.3, Befalls::Telephones),
    failure(30006, "undelivered", 0.0033, 2.5, Befalls::Telephones),
    failure(30007, "undelivered", 0.0022, 2.2, Befalls::Telephones),
    failure(30008, "undelivered", 0.0022, 90.0, Befalls::Telephones),
    failure(30500, "failed", 0.0003, 1.0, Befalls::Telephones),
    failure(30001, "failed", 0.0001, 0.5, Befalls::Telephones),
    failure(30034, "undelivered", 0.0016, 1.2, Befalls::UsTelephones),
    failure(63016, "undelivered", 0.0060, 0.8, Befalls::WhatsApp),
    failure(63018, "failed", 0.0010, 0.4, Befalls::WhatsApp),
    failure(63049, "undelivered", 0.0120, 0.9, Befalls::WhatsAppSales),
    failure(63024, "undelivered", 0.0025, 0.8, Befalls::WhatsAppAndRcs),
];

const FILTERED: (&str, u32, f64) = ("undelivered", 30007, 2.2);

/// The share of multi-segment messages of which one segment is refused and another delivered.
const CONTRADICTING: f64 = 0.001;

/// The share of messages without a receipt. MMS of North American long codes often have none.
const WITHOUT_RECEIPT: f64 = 0.008;
const MMS_WITHOUT_RECEIPT: f64 = 0.12;

/// The share of delivered messages that are read, if the channel reports it.
const READ: f64 = 0.62;

/// The share of deliveries that take much longer, such as to a telephone that is switched off.
const SLOW: f64 = 0.015;

/// A message is read within a day, or never.
const READ_SECONDS_MAX: f64 = 20.0 * 3600.0;

/// Carriers try to deliver for up to ten hours, the default validity period.
const DELIVERY_SECONDS_MAX: f64 = 10.0 * 3600.0;

/// The share of early callbacks that later ones may overtake, and their mean delay in seconds.
const OVERTAKEN: f64 = 0.065;
const OVERTAKEN_SECONDS: f64 = 4.0;

/// The steps of a message, first to last.
pub fn stages(market: &Market, sold: &ShopMessage, is_filtered: bool, rng: &mut Rng) -> Vec<Stage> {
    let mut stages = Vec::new();
    if sold.message.service.is_some() {
        stages.push(Stage { step: QUEUED, after: log_normal(0.04, 0.5, rng) });
    }
    let sent = Stage { step: ("sent", None), after: log_normal(0.62, 0.82, rng) };
    let failed = if is_filtered { Some(FILTERED) } else { failure_of(market, sold, rng) };
    if let Some((status, code, median)) = failed {
        stages.extend((status == "undelivered").then_some(sent));
        let after = log_normal(median, 0.9, rng).min(DELIVERY_SECONDS_MAX);
        stages.push(Stage { step: (status, Some(code)), after });
        return stages;
    }
    stages.push(sent);
    let is_mms = sold.message.channel == Channel::Mms;
    let without = if is_mms { MMS_WITHOUT_RECEIPT } else { WITHOUT_RECEIPT };
    if happens(without, rng) {
        return stages;
    }
    let has_read_receipts = sold.message.channel.prefix().is_some();
    if !has_read_receipts && happens(CONTRADICTING, rng) {
        let step = ("undelivered", Some(30005));
        stages.push(Stage { step, after: log_normal(1.7, 0.9, rng) });
    }
    let slow = if happens(SLOW, rng) { log_normal(60.0, 1.2, rng) } else { 0.0 };
    let after = (log_normal(1.7, 0.9, rng) + slow).min(DELIVERY_SECONDS_MAX);
    stages.push(Stage { step: ("delivered", None), after });
    if has_read_receipts && happens(READ, rng) {
        let after = log_normal(600.0, 1.4, rng).min(READ_SECONDS_MAX);
        stages.push(Stage { step: ("read", None), after });
    }
    stages
}

/// The seconds that a callback takes from Twilio to the ledger.
pub fn way(status: &str, rng: &mut Rng) -> f64 {
    let usual = log_normal(0.045, 0.5, rng);
    let is_early = ["queued", "sent"].contains(&status);
    match is_early && happens(OVERTAKEN, rng) {
        true => usual + exponential(OVERTAKEN_SECONDS, rng),
        false => usual,
    }
}

/// The failure of a message, with its status, code and median time; `None` for most.
fn failure_of(
    market: &Market,
    sold: &ShopMessage,
    rng: &mut Rng,
) -> Option<(&'static str, u32, f64)> {
    let possible = FAILURES.iter().filter(|failure| failure.befalls.includes(market, sold));
    let mut left = rng.f64();
    let failure = { possible }.find(|failure| {
        left -= failure.share;
        left < 0.0
    })?;
    Some((failure.status, failure.code, failure.median))
}

impl Befalls {
    fn includes(self, market: &Market, sold: &ShopMessage) -> bool {
        let channel = sold.message.channel;
        let is_telephone = channel.prefix().is_none();
        match self {
            Befalls::Telephones => is_telephone,
            Befalls::UsTelephones => is_telephone && market.is_us(),
            Befalls::WhatsApp => channel == Channel::WhatsApp,
            Befalls::WhatsAppSales => channel == Channel::WhatsApp && sold.purpose == Purpose::Sale,
            Befalls::WhatsAppAndRcs => !is_telephone,
        }
    }
}
