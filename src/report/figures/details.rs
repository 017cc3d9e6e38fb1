//! The figures of segments, prices, clicks and feedback.

use super::ratio;
use crate::domain::Status;
use crate::domain::rollup::details::{PriceSums, RollupDetails};

/// The statuses of messages that Twilio sent.
pub const SENT: [Status; 5] = [
    Status::Sent,
    Status::PartiallyDelivered,
    Status::Delivered,
    Status::Read,
    Status::Undelivered,
];

/// The counts and sums of one row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DetailFigures {
    /// Messages whose number of segments is known.
    segments_known: i64,
    segments: i64,
    prices: PriceSums,
    clicks: i64,
    /// Messages that were delivered or read, with clicks.
    clicked: i64,
    confirmed: i64,
    unconfirmed: i64,
    /// Messages that were sent, and whose purpose was confirmed.
    sent_confirmed: i64,
}

impl DetailFigures {
    /// Adds the details of messages with this status.
    pub fn add_rollup(&mut self, status: Option<Status>, details: &RollupDetails) {
        self.segments_known += details.segmented;
        self.segments += details.segments;
        details.prices.iter().for_each(|sum| self.prices.add(sum, 1));
        self.clicks += details.clicks;
        self.confirmed += details.confirmed;
        self.unconfirmed += details.unconfirmed;
        if matches!(status, Some(Status::Delivered | Status::Read)) {
            self.clicked += details.clicked;
        }
        if status.is_some_and(|status| SENT.contains(&status)) {
            self.sent_confirmed += details.confirmed;
        }
    }

    /// Adds the details of other figures.
    pub fn add(&mut self, other: &DetailFigures) {
        self.segments_known += other.segments_known;
        self.segments += other.segments;
        other.prices.iter().for_each(|sum| self.prices.add(sum, 1));
        self.clicks += other.clicks;
        self.clicked += other.clicked;
        self.confirmed += other.confirmed;
        self.unconfirmed += other.unconfirmed;
        self.sent_confirmed += other.sent_confirmed;
    }

    /// The sum of all known numbers of segments.
    pub fn segments(&self) -> i64 {
        self.segments
    }

    /// Messages whose number of segments is known.
    pub fn segments_known(&self) -> i64 {
        self.segments_known
    }

    /// The sums of all known prices, one for each currency.
    pub fn prices(&self) -> &PriceSums {
        &self.prices
    }

    /// Messages whose price is known.
    pub fn priced(&self) -> i64 {
        self.prices.iter().map(|sum| sum.messages).sum()
    }

    /// Clicks that are probably a person's.
    pub fn clicks(&self) -> i64 {
        self.clicks
    }

    /// Messages with such a click that were delivered or read.
    pub fn clicked(&self) -> i64 {
        self.clicked
    }

    /// The share of messages with such a click, of this number that were delivered or read.
    pub fn click_rate(&self, reached: i64) -> Option<f64> {
        ratio(self.clicked, reached)
    }

    /// Messages whose purpose the sender confirmed.
    pub fn confirmed(&self) -> i64 {
        self.confirmed
    }

    /// Messages whose sender reported that it was not reached.
    pub fn unconfirmed(&self) -> i64 {
        self.unconfirmed
    }

    /// The share of confirmed messages, of this number that were sent.
    pub fn conversion_rate(&self, sent: i64) -> Option<f64> {
        ratio(self.sent_confirmed, sent)
    }
}
