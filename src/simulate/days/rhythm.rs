//! When messages begin: by the hour of the day where their recipients are.

use fastrand::Rng;

use super::chance::{choose, exponential};
use super::market::{MARKETS, Market};
use super::{HOUR_SECONDS, PERIOD_SECONDS, later};
use crate::domain::Timestamp;

const MINUTE_SECONDS: i64 = 60;
const MINUTES: i64 = PERIOD_SECONDS / MINUTE_SECONDS;

/// How busy each hour of a local day is: people are asleep, at work, and at home.
const BY_HOUR: [f64; 24] = [
    0.10, 0.06, 0.04, 0.03, 0.03, 0.06, 0.16, 0.35, 0.62, 0.82, 0.95, 1.00, 0.98, 0.94, 0.92, 0.93,
    0.96, 1.00, 1.00, 0.90, 0.72, 0.50, 0.30, 0.17,
];

/// The beginning of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Begin {
    pub at: Timestamp,
    /// The place of its recipient's market among all.
    pub market: usize,
}

/// The rhythm of the messages of a period.
pub struct Rhythm {
    begins: Timestamp,
    until: Timestamp,
    messages: u64,
    /// The number of messages a second for a weight of 1.
    scale: f64,
    /// The weights of all minutes and markets up to each.
    cumulative: Vec<f64>,
}

impl Rhythm {
    /// The rhythm of this number of messages in the period before a moment.
    pub fn new(until: Timestamp, messages: u64) -> Self {
        let begins = later(until, -PERIOD_SECONDS as f64);
        let mut sum = 0.0;
        let mut cumulative = Vec::with_capacity(MINUTES as usize * MARKETS.len());
        for minute in 0..MINUTES {
            let at = later(begins, (minute * MINUTE_SECONDS) as f64);
            cumulative.extend(MARKETS.iter().map(|market| {
                sum += weight(market, at);
                sum
            }));
        }
        Self {
            begins,
            until,
            messages,
            scale: messages as f64 / (sum * MINUTE_SECONDS as f64),
            cumulative,
        }
    }

    /// The messages of the period, in order.
    pub fn past(&self, rng: &mut Rng) -> Vec<Begin> {
        let sum = self.cumulative.last().copied().unwrap_or_default();
        let begin = |_| {
            let wanted = rng.f64() * sum;
            let place = self.cumulative.partition_point(|sum| *sum <= wanted);
            let (minute, market) = (place / MARKETS.len(), place % MARKETS.len());
            let at = later(self.begins, (minute as f64 + rng.f64()) * MINUTE_SECONDS as f64);
            Begin { at, market }
        };
        let mut begins: Vec<_> = (0..self.messages).map(begin).collect();
        begins.sort_by_key(|begin| begin.at);
        begins
    }

    /// The message after one of a moment, after the period.
    pub fn next(&self, after: Timestamp, rng: &mut Rng) -> Begin {
        let after = after.max(self.until);
        let at = later(after, exponential(1.0 / self.messages_a_second(after), rng));
        Begin { at, market: choose(MARKETS.iter().map(|market| weight(market, at)), rng) }
    }

    /// The number of messages a second at a moment.
    pub fn messages_a_second(&self, at: Timestamp) -> f64 {
        self.scale * MARKETS.iter().map(|market| weight(market, at)).sum::<f64>()
    }
}

/// How busy a market is at a moment: between two hours, the mean of both according to their distance.
fn weight(market: &Market, at: Timestamp) -> f64 {
    let hours = at.micros() as f64 / 1e6 / HOUR_SECONDS as f64 + market.utc_offset as f64;
    let hour = hours.rem_euclid(24.0);
    let [this, next] = [0, 1].map(|step| BY_HOUR[(hour as usize + step) % BY_HOUR.len()]);
    market.share * (this + (next - this) * hour.fract())
}
