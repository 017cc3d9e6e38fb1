//! The figures of a report's rows while they are being counted.

mod dense_histogram;
pub mod details;
pub mod json;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;

use self::dense_histogram::DenseHistogram;
use self::details::{DetailFigures, SENT};
use super::dimension::{RowKeys, RowKeysRef};
use crate::domain::Status;
use crate::domain::channel::has_read_receipts;
use crate::domain::rollup::details::RollupDetails;
use crate::domain::rollup::histogram::DurationHistogram;
use crate::domain::rollup::{Contribution, Rollup, RollupKey};

/// The counts of one row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Messages by status; the first is `unknown`.
    by_status: [i64; 1 + Status::ALL.len()],
    open: i64,
    conflicts: i64,
    imported: i64,
    late: i64,
    duplicate: i64,
    /// Messages that were delivered or read, on channels with read receipts.
    could_be_read: i64,
    /// Messages that were read, on those channels.
    were_read: i64,
    time_to_sent: DenseHistogram,
    sent_to_delivered: DenseHistogram,
    details: DetailFigures,
    /// Messages whose time by the report's clock is not known.
    untimed: i64,
}

/// The rows of a report by their keys.
#[derive(Default)]
pub struct Rows(HashMap<RowKeys, Figures, RandomState>);

impl Rows {
    /// The row with these keys.
    pub fn row(&mut self, keys: &RowKeysRef<'_>) -> &mut Figures {
        match self.0.entry_ref(keys) {
            EntryRef::Occupied(row) => row.into_mut(),
            EntryRef::Vacant(place) => place.insert_with_key(keys.into(), Figures::default()),
        }
    }

    /// Adds the rows of another part of the same report.
    pub fn merge(&mut self, other: Rows) {
        for (keys, figures) in other.0 {
            self.0.entry(keys).or_default().add(&figures);
        }
    }

    /// The rows in no particular order, and their sum.
    pub fn finish(self) -> (HashMap<RowKeys, Figures, RandomState>, Figures) {
        let mut total = Figures::default();
        self.0.values().for_each(|figures| total.add(figures));
        (self.0, total)
    }
}

impl Figures {
    /// Adds the messages of a rollup.
    pub fn add_rollup(&mut self, key: &RollupKey<'_>, rollup: &Rollup) {
        self.add_messages(key, rollup.messages);
        self.conflicts += rollup.conflicts;
        self.imported += rollup.imported;
        self.late += rollup.late;
        self.duplicate += rollup.duplicate;
        self.time_to_sent.add(&rollup.time_to_sent);
        self.sent_to_delivered.add(&rollup.sent_to_delivered);
        self.details.add_rollup(key.status, &rollup.details);
    }

    /// Adds one message; `is_timed` if its time by the report's clock is known.
    pub fn add_message(&mut self, key: &RollupKey<'_>, message: Contribution, is_timed: bool) {
        self.add_messages(key, 1);
        self.untimed += i64::from(!is_timed);
        self.conflicts += i64::from(message.conflict);
        self.imported += i64::from(message.imported);
        self.late += i64::from(message.late);
        self.duplicate += i64::from(message.duplicate);
        self.time_to_sent.count(message.time_to_sent);
        self.sent_to_delivered.count(message.sent_to_delivered);
        let mut details = RollupDetails::default();
        details.count(message.details, 1);
        self.details.add_rollup(key.status, &details);
    }

    fn add_messages(&mut self, key: &RollupKey<'_>, messages: i64) {
        self.by_status[index(key.status)] += messages;
        self.open += messages * i64::from(key.open_since.is_some());
        if has_read_receipts(&key.channel) {
            let reached = matches!(key.status, Some(Status::Delivered | Status::Read));
            self.could_be_read += messages * i64::from(reached);
            self.were_read += messages * i64::from(key.status == Some(Status::Read));
        }
    }

    /// Adds the messages of other figures.
    pub fn add(&mut self, other: &Figures) {
        self.by_status.iter_mut().zip(other.by_status).for_each(|(ours, theirs)| *ours += theirs);
        self.open += other.open;
        self.conflicts += other.conflicts;
        self.imported += other.imported;
        self.late += other.late;
        self.duplicate += other.duplicate;
        self.could_be_read += other.could_be_read;
        self.were_read += other.were_read;
        self.time_to_sent.add(&other.time_to_sent.to_sparse());
        self.sent_to_delivered.add(&other.sent_to_delivered.to_sparse());
        self.details.add(&other.details);
        self.untimed += other.untimed;
    }

    /// The number of messages.
    pub fn messages(&self) -> i64 {
        self.by_status.iter().sum()
    }

    /// The number of messages with this status; `None` is `unknown`.
    pub fn of_status(&self, status: Option<Status>) -> i64 {
        self.by_status[index(status)]
    }

    /// Messages with evidence of both success and failure.
    pub fn conflicts(&self) -> i64 {
        self.conflicts
    }

    /// Messages with at least one imported event.
    pub fn imported(&self) -> i64 {
        self.imported
    }

    /// Messages with at least one late event.
    pub fn late(&self) -> i64 {
        self.late
    }

    /// Messages with at least one duplicate event.
    pub fn duplicate(&self) -> i64 {
        self.duplicate
    }

    /// From the first event of a message to its first `sent`.
    pub fn time_to_sent(&self) -> DurationHistogram {
        self.time_to_sent.to_sparse()
    }

    /// From the first `sent` of a message to its first `delivered`.
    pub fn sent_to_delivered(&self) -> DurationHistogram {
        self.sent_to_delivered.to_sparse()
    }

    /// Outbound messages whose outcome is not known yet.
    pub fn open(&self) -> i64 {
        self.open
    }

    /// Messages that were delivered or read.
    pub fn reached(&self) -> i64 {
        self.of_status(Some(Status::Delivered)) + self.of_status(Some(Status::Read))
    }

    /// Messages that Twilio sent: those at `sent`, `partially_delivered`, `delivered`, `read` or
    /// `undelivered`.
    pub fn sent(&self) -> i64 {
        SENT.iter().map(|status| self.of_status(Some(*status))).sum()
    }

    /// Messages that were undelivered or failed.
    pub fn not_reached(&self) -> i64 {
        self.of_status(Some(Status::Undelivered)) + self.of_status(Some(Status::Failed))
    }

    /// Messages that were delivered or read, on channels with read receipts.
    pub fn could_be_read(&self) -> i64 {
        self.could_be_read
    }

    /// Messages that were read, on those channels.
    pub fn were_read(&self) -> i64 {
        self.were_read
    }

    /// The share of messages that were delivered or read, of those with an outcome. Canceled
    /// messages do not count.
    pub fn delivery_rate(&self) -> Option<f64> {
        ratio(self.reached(), self.reached() + self.not_reached())
    }

    /// The share of messages that were undelivered or failed, of the same messages.
    pub fn failure_rate(&self) -> Option<f64> {
        ratio(self.not_reached(), self.reached() + self.not_reached())
    }

    /// The share of messages that were read, of those delivered on channels with read receipts.
    pub fn read_rate(&self) -> Option<f64> {
        ratio(self.were_read, self.could_be_read)
    }

    /// The share of messages with a click of a person, of those delivered or read.
    pub fn click_rate(&self) -> Option<f64> {
        self.details.click_rate(self.reached())
    }

    /// The share of messages whose purpose was confirmed, of those sent.
    pub fn conversion_rate(&self) -> Option<f64> {
        self.details.conversion_rate(self.sent())
    }

    /// Messages of which the sender reported no outcome.
    pub fn feedback_unknown(&self) -> i64 {
        self.messages() - self.details.confirmed() - self.details.unconfirmed()
    }

    /// Segments, prices, clicks and feedback.
    pub fn details(&self) -> &DetailFigures {
        &self.details
    }

    /// Messages whose time by the report's clock is known.
    pub fn clock_known(&self) -> i64 {
        self.messages() - self.untimed
    }
}

fn index(status: Option<Status>) -> usize {
    status.map_or(0, |status| 1 + status as usize)
}

/// A share of a whole; `None` if the whole is zero.
fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
