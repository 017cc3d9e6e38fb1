//! What reports count: a cell for all messages of one hour, account, channel, country, status, error
//! code and kind, and the tally of those that stand in it.

use std::borrow::Cow;

use super::country::Country;
use super::histogram::{DurationHistogram, Elapsed};
use super::message::message_ref::MessageRef;
use super::{ErrorCode, Status, Timestamp};

const HOUR_MICROS: i64 = 3_600_000_000;

/// Where a message is counted. The order of the fields is that of cells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupKey<'a> {
    /// Of its first arrival, in UTC.
    pub hour: Hour,
    pub account_sid: Option<Cow<'a, str>>,
    pub channel: Cow<'a, str>,
    /// Of the address that it was sent to.
    pub country: Option<Country>,
    /// Nothing is `unknown`.
    pub status: Option<Status>,
    /// The code that is shown with the message.
    pub error_code: Option<ErrorCode>,
    /// Whether all of its statuses are inbound.
    pub inbound: bool,
    /// Whether a simulation sent all of its events.
    pub simulated: bool,
    /// The hour from which the age of an open message counts; `None` if it is not open.
    pub open_since: Option<Hour>,
}

/// A whole hour in UTC: how many have passed since 1970 began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i64);

/// What one message adds to its cell's tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contribution {
    pub conflict: bool,
    /// Whether an import brought any of its events.
    pub imported: bool,
    /// From the first word of it, but `scheduled`, to the first `sent`.
    pub time_to_sent: Elapsed,
    /// From the first `sent` to the first `delivered`.
    pub sent_to_delivered: Elapsed,
}

/// How many messages, and what is known of them. Tallies can be added and subtracted in any order;
/// counts can be below zero while changes are being summed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollup {
    pub messages: i64,
    pub conflicts: i64,
    pub imported: i64,
    pub time_to_sent: DurationHistogram,
    pub sent_to_delivered: DurationHistogram,
}

impl Hour {
    /// The hour that a moment lies in.
    pub fn from_timestamp(moment: Timestamp) -> Self {
        Self(moment.micros().div_euclid(HOUR_MICROS))
    }

    /// The hour that begins at this very moment.
    pub fn starting_at(moment: Timestamp) -> Option<Self> {
        (moment.micros().rem_euclid(HOUR_MICROS) == 0).then(|| Self::from_timestamp(moment))
    }

    /// When it begins.
    pub fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(HOUR_MICROS))
    }

    /// The first hour of its day in UTC.
    pub fn day(self) -> Self {
        Self(self.0.div_euclid(24) * 24)
    }
}

impl<'a> RollupKey<'a> {
    /// The cell that a message stands in.
    pub fn from_message(message: &MessageRef<'a>) -> Self {
        Self {
            country: message.to.and_then(Country::from_address),
            ..Self::from_message_without_country(message)
        }
    }

    /// The same for who does not ask for the country, which takes longer than all the rest.
    pub fn from_message_without_country(message: &MessageRef<'a>) -> Self {
        Self {
            hour: Hour::from_timestamp(message.first_received_at),
            account_sid: message.account_sid.map(Cow::Borrowed),
            channel: Cow::Borrowed(message.channel),
            country: None,
            status: message.status,
            error_code: message.error_code,
            inbound: message.kinds.is_inbound(),
            simulated: message.kinds.is_simulated(),
            open_since: message.is_open().then(|| Hour::from_timestamp(message.began_at())),
        }
    }

    /// The same with texts of its own.
    pub fn into_owned(self) -> RollupKey<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        RollupKey {
            hour: self.hour,
            account_sid: self.account_sid.map(owned),
            channel: owned(self.channel),
            country: self.country,
            status: self.status,
            error_code: self.error_code,
            inbound: self.inbound,
            simulated: self.simulated,
            open_since: self.open_since,
        }
    }
}

impl Contribution {
    /// What a message adds.
    pub fn from_message(message: &MessageRef<'_>) -> Self {
        let status_times = |status| message.status_times.first(status);
        // The time that a message waited for its hour was wanted, and is left out.
        let begun = [Status::Accepted, Status::Queued, Status::Sending]
            .into_iter()
            .filter_map(status_times);
        let sent = status_times(Status::Sent);
        Self {
            conflict: message.has_conflict(),
            imported: message.kinds.imported,
            time_to_sent: between(begun.min(), sent),
            sent_to_delivered: between(sent, status_times(Status::Delivered)),
        }
    }
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Elapsed {
    let (Some(from), Some(to)) = (from, to) else { return Elapsed::Unknown };
    match u64::try_from(to.micros().saturating_sub(from.micros())) {
        Ok(micros) => Elapsed::Known(micros / 1000),
        Err(_) => Elapsed::Negative,
    }
}

impl Rollup {
    /// Counts a message so many times; fewer than none takes it away.
    pub fn count(&mut self, sample: Contribution, times: i64) {
        self.messages += times;
        self.conflicts += times * i64::from(sample.conflict);
        self.imported += times * i64::from(sample.imported);
        self.time_to_sent.count(sample.time_to_sent, times);
        self.sent_to_delivered.count(sample.sent_to_delivered, times);
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Rollup) {
        self.add_times(other, 1);
    }

    /// Takes another tally away.
    pub fn subtract(&mut self, other: &Rollup) {
        self.add_times(other, -1);
    }

    fn add_times(&mut self, other: &Rollup, times: i64) {
        self.messages += times * other.messages;
        self.conflicts += times * other.conflicts;
        self.imported += times * other.imported;
        self.time_to_sent.add(&other.time_to_sent, times);
        self.sent_to_delivered.add(&other.sent_to_delivered, times);
    }

    /// Whether it counts nothing.
    pub fn is_empty(&self) -> bool {
        self.messages == 0
            && self.conflicts == 0
            && self.imported == 0
            && self.time_to_sent.is_empty()
            && self.sent_to_delivered.is_empty()
    }
}
