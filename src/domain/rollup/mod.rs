//! Rollups: counts and durations of all messages with the same key (hour or day, account, channel, country,
//! status, error code and kind), which reports are computed from.

pub mod details;
pub mod histogram;
pub mod range;

use std::borrow::Cow;

use self::details::{ContributedDetails, RollupDetails};
use self::histogram::{DurationHistogram, Elapsed};
use super::country::Country;
use super::message::message_ref::MessageRef;
use super::message::status_times::StatusTimes;
use super::{ErrorCode, Status, Timestamp};

const HOUR_MICROS: i64 = 3_600_000_000;

/// The hours of a day in UTC.
const DAY_HOURS: i64 = 24;

/// How long the period of a rollup is. Every message is in one rollup of each length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RollupLength {
    /// An hour.
    Hour,
    /// A day in UTC: far fewer rollups, for reports on long periods.
    Day,
}

/// The key of a rollup. Rollups are sorted by these fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupKey<'a> {
    /// Whether it is the rollup of an hour or of a day.
    pub length: RollupLength,
    /// The hour in which the first event arrived, or the first hour of that day.
    pub hour: Hour,
    /// The account; `None` for messages without one.
    pub account_sid: Option<Cow<'a, str>>,
    /// The channel, such as `sms` or `whatsapp`.
    pub channel: Cow<'a, str>,
    /// The country of the recipient's address.
    pub country: Option<Country>,
    /// `None` means `unknown`.
    pub status: Option<Status>,
    /// The error code shown for the message.
    pub error_code: Option<ErrorCode>,
    /// True if every reported status is inbound.
    pub inbound: bool,
    /// True if every event was simulated.
    pub simulated: bool,
    /// The hour in which an open message began; `None` if it is not open.
    pub open_since: Option<Hour>,
}

/// An hour in UTC, as the number of whole hours since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i64);

/// The values that one message adds to its rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contribution {
    /// True if there is evidence of both success and failure.
    pub conflict: bool,
    /// True if any event was imported.
    pub imported: bool,
    /// True if any event is late.
    pub late: bool,
    /// True if any event is a duplicate.
    pub duplicate: bool,
    /// From the first event that is not `scheduled` to the first `sent`.
    pub time_to_sent: Elapsed,
    /// From the first `sent` to the first `delivered`.
    pub sent_to_delivered: Elapsed,
    /// Segments, price, clicks and feedback.
    pub details: ContributedDetails,
}

/// Counts and durations of a group of messages. Rollups can be added and subtracted in any order;
/// counts can be negative while changes are summed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollup {
    /// All messages of the group.
    pub messages: i64,
    /// Messages with evidence of both success and failure.
    pub conflicts: i64,
    /// Messages with imported events.
    pub imported: i64,
    /// Messages with late events.
    pub late: i64,
    /// Messages with duplicate events.
    pub duplicate: i64,
    /// The times from the first of `accepted`, `queued` and `sending` to `sent`.
    pub time_to_sent: DurationHistogram,
    /// The times from `sent` to `delivered`.
    pub sent_to_delivered: DurationHistogram,
    /// Segments, prices, clicks and feedback.
    pub details: RollupDetails,
}

impl Hour {
    /// The hour that contains this time.
    pub fn from_timestamp(moment: Timestamp) -> Self {
        Self(moment.micros().div_euclid(HOUR_MICROS))
    }

    /// The hour that starts at exactly this time; `None` if no hour does.
    pub fn starting_at(moment: Timestamp) -> Option<Self> {
        (moment.micros().rem_euclid(HOUR_MICROS) == 0).then(|| Self::from_timestamp(moment))
    }

    /// The start of the hour.
    pub fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(HOUR_MICROS))
    }

    /// The first hour of the same day in UTC.
    pub fn day(self) -> Self {
        Self(self.0.div_euclid(DAY_HOURS) * DAY_HOURS)
    }
}

impl RollupLength {
    /// The number of hours.
    pub fn hours(self) -> i64 {
        match self {
            RollupLength::Hour => 1,
            RollupLength::Day => DAY_HOURS,
        }
    }
}

impl<'a> RollupKey<'a> {
    /// The key of the rollup of an hour that a message is counted in.
    pub fn from_message(message: &MessageRef<'a>) -> Self {
        Self {
            country: message.to.and_then(Country::from_address),
            ..Self::from_message_without_country(message)
        }
    }

    /// Like [`from_message`](Self::from_message), but with `country` set to `None`: finding the country
    /// takes longer than everything else.
    pub fn from_message_without_country(message: &MessageRef<'a>) -> Self {
        Self {
            length: RollupLength::Hour,
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

    /// The key of the rollup of the day that counts the messages of this one.
    pub fn of_day(&self) -> Self {
        Self { length: RollupLength::Day, hour: self.hour.day(), ..self.clone() }
    }

    /// Copies borrowed texts.
    pub fn into_owned(self) -> RollupKey<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        RollupKey {
            length: self.length,
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
    /// The contribution of a message.
    pub fn from_message(message: &MessageRef<'_>) -> Self {
        let [time_to_sent, sent_to_delivered] = durations(&message.status_times);
        Self {
            conflict: message.has_conflict(),
            imported: message.kinds.imported,
            late: message.late,
            duplicate: message.duplicate,
            time_to_sent,
            sent_to_delivered,
            details: ContributedDetails::new(&message.details, message.kinds),
        }
    }
}

/// How long a message took from its first event that is not `scheduled` to its first `sent`, and from there
/// to its first `delivered`.
pub fn durations(status_times: &StatusTimes) -> [Elapsed; 2] {
    let first = |status| status_times.first(status);
    // `scheduled` is left out: the wait until the scheduled time is intended.
    let begun = [Status::Accepted, Status::Queued, Status::Sending].into_iter().filter_map(first);
    let sent = first(Status::Sent);
    [between(begun.min(), sent), between(sent, first(Status::Delivered))]
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Elapsed {
    let (Some(from), Some(to)) = (from, to) else { return Elapsed::Unknown };
    match u64::try_from(to.micros().saturating_sub(from.micros())) {
        Ok(micros) => Elapsed::Known(micros / 1000),
        Err(_) => Elapsed::Negative,
    }
}

impl Rollup {
    /// Counts a contribution `times` times; a negative number subtracts it.
    pub fn count(&mut self, contribution: Contribution, times: i64) {
        self.messages += times;
        self.conflicts += times * i64::from(contribution.conflict);
        self.imported += times * i64::from(contribution.imported);
        self.late += times * i64::from(contribution.late);
        self.duplicate += times * i64::from(contribution.duplicate);
        self.time_to_sent.count(contribution.time_to_sent, times);
        self.sent_to_delivered.count(contribution.sent_to_delivered, times);
        self.details.count(contribution.details, times);
    }

    /// Adds another rollup.
    pub fn add(&mut self, other: &Rollup) {
        self.add_times(other, 1);
    }

    /// Subtracts another rollup.
    pub fn subtract(&mut self, other: &Rollup) {
        self.add_times(other, -1);
    }

    fn add_times(&mut self, other: &Rollup, times: i64) {
        self.messages += times * other.messages;
        self.conflicts += times * other.conflicts;
        self.imported += times * other.imported;
        self.late += times * other.late;
        self.duplicate += times * other.duplicate;
        self.time_to_sent.add(&other.time_to_sent, times);
        self.sent_to_delivered.add(&other.sent_to_delivered, times);
        self.details.add(&other.details, times);
    }

    /// True if every count is zero.
    pub fn is_empty(&self) -> bool {
        self.messages == 0
            && self.conflicts == 0
            && self.imported == 0
            && self.late == 0
            && self.duplicate == 0
            && self.time_to_sent.is_empty()
            && self.sent_to_delivered.is_empty()
            && self.details == RollupDetails::default()
    }
}
