//! The details of messages in a rollup: segments, prices, clicks, feedback, and how events arrived.

use smallvec::SmallVec;

use crate::domain::message::details::{Details, FeedbackOutcome};
use crate::domain::message::kinds::EventKinds;
use crate::domain::price::{Amount, Currency, Price};

/// The details that one message adds to its rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContributedDetails {
    /// Its number of segments, if it is known.
    pub segments: Option<u32>,
    /// Its price, if it is known.
    pub price: Option<Price>,
    /// The number of clicks that are probably a person's.
    pub clicks: u64,
    /// The outcome that its sender reported.
    pub feedback: Option<FeedbackOutcome>,
    /// True if a status callback arrived.
    pub by_callback: bool,
    /// True if a CloudEvent with a status arrived.
    pub by_stream: bool,
}

/// The details of a group of messages. Counts can be negative while changes are summed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollupDetails {
    /// Messages of which a status callback arrived.
    pub by_callback: i64,
    /// Messages of which a CloudEvent with a status arrived.
    pub by_stream: i64,
    /// Messages of which both arrived.
    pub by_both: i64,
    /// Messages whose number of segments is known.
    pub segmented: i64,
    /// The sum of their segments.
    pub segments: i64,
    /// The prices, one sum for each currency.
    pub prices: PriceSums,
    /// Clicks that are probably a person's.
    pub clicks: i64,
    /// Messages with such a click.
    pub clicked: i64,
    /// Messages whose purpose the sender confirmed.
    pub confirmed: i64,
    /// Messages whose sender reported that it was not reached.
    pub unconfirmed: i64,
}

/// Sums of prices, sorted by currency; each has messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceSums(SmallVec<[PriceSum; 1]>);

/// The sum of the prices in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceSum {
    /// The currency.
    pub currency: Currency,
    /// The messages with a price in it.
    pub messages: i64,
    /// The sum of their prices, in billionths.
    pub billionths: i64,
}

impl PriceSum {
    /// The sum of the prices.
    pub fn amount(&self) -> Amount {
        Amount::from_billionths(self.billionths)
    }
}

impl ContributedDetails {
    /// The details of a message that a rollup counts.
    pub fn new(details: &Details, kinds: EventKinds) -> Self {
        Self {
            segments: details.segments(),
            price: details.price(),
            clicks: details.clicks().map_or(0, |clicks| clicks.count()),
            feedback: details.feedback(),
            by_callback: kinds.by_callback,
            by_stream: kinds.by_stream,
        }
    }
}

impl RollupDetails {
    /// Counts a message's details `times` times; a negative number subtracts them.
    pub fn count(&mut self, one: ContributedDetails, times: i64) {
        self.by_callback += times * i64::from(one.by_callback);
        self.by_stream += times * i64::from(one.by_stream);
        self.by_both += times * i64::from(one.by_callback && one.by_stream);
        if let Some(segments) = one.segments {
            self.segmented += times;
            self.segments += times * i64::from(segments);
        }
        if let Some(Price { amount, currency }) = one.price {
            self.prices
                .add(PriceSum { currency, messages: 1, billionths: amount.billionths() }, times);
        }
        self.clicks += times * one.clicks as i64;
        self.clicked += times * i64::from(one.clicks > 0);
        self.confirmed += times * i64::from(one.feedback == Some(FeedbackOutcome::Confirmed));
        self.unconfirmed += times * i64::from(one.feedback == Some(FeedbackOutcome::Unconfirmed));
    }

    /// Adds the details of other messages `times` times; a negative number subtracts them.
    pub fn add(&mut self, other: &RollupDetails, times: i64) {
        self.by_callback += times * other.by_callback;
        self.by_stream += times * other.by_stream;
        self.by_both += times * other.by_both;
        self.segmented += times * other.segmented;
        self.segments += times * other.segments;
        other.prices.iter().for_each(|sum| self.prices.add(sum, times));
        self.clicks += times * other.clicks;
        self.clicked += times * other.clicked;
        self.confirmed += times * other.confirmed;
        self.unconfirmed += times * other.unconfirmed;
    }
}

impl PriceSums {
    /// Adds a sum `times` times; a negative number subtracts it.
    pub fn add(&mut self, sum: PriceSum, times: i64) {
        let place = self.0.binary_search_by_key(&sum.currency, |ours| ours.currency);
        let place = place.unwrap_or_else(|place| {
            self.0.insert(place, PriceSum { messages: 0, billionths: 0, ..sum });
            place
        });
        let ours = &mut self.0[place];
        ours.messages += times * sum.messages;
        // The highest charge there can be is nine billion, so that the sum of ten may be too much. It is more
        // than anybody pays, and an error of Twilio's must not end the projection.
        ours.billionths = ours.billionths.wrapping_add(times.wrapping_mul(sum.billionths));
        if ours.messages == 0 && ours.billionths == 0 {
            self.0.remove(place);
        }
    }

    /// The sums, sorted by currency.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = PriceSum> {
        self.0.iter().copied()
    }
}
