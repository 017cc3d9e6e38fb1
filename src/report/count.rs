//! The figures of one row, in the making: sums of tallies, by status.

use std::cmp::Reverse;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::key::{By, Key};
use super::sum::Sum;
use crate::domain::Status;
use crate::domain::channel::has_read_receipts;
use crate::domain::histogram::DurationHistogram;
use crate::domain::message_ref::MessageRef;
use crate::domain::rollup::{Contribution, Rollup, RollupKey};

/// The messages of one row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Count {
    /// Of each status; the first is `unknown`.
    by_status: [i64; 1 + Status::ALL.len()],
    /// Outbound messages whose outcome is not known.
    open: i64,
    conflicts: i64,
    imported: i64,
    /// Delivered or read, and read, on channels that can tell.
    could_be_read: i64,
    were_read: i64,
    time_to_sent: Sum,
    sent_to_delivered: Sum,
}

/// Every row of a report.
pub struct Counts {
    by: By,
    rows: HashMap<Key, Count, RandomState>,
}

impl Counts {
    /// No row yet.
    pub fn new(by: By) -> Self {
        Self { by, rows: HashMap::default() }
    }

    /// Adds to the row that a cell, and whoever sent the message, belong to.
    pub fn add(
        &mut self,
        cell: &RollupKey<'_>,
        message: Option<&MessageRef<'_>>,
        add: impl FnOnce(&mut Count),
    ) {
        add(self.rows.entry_ref(&self.by.key(cell, message)).or_default());
    }

    /// Adds every row of others.
    pub fn merge(&mut self, other: Counts) {
        for (key, count) in other.rows {
            self.rows.entry(key).or_default().add(&count);
        }
    }

    /// The rows in their order, and what they come to.
    pub fn finish(self) -> (Vec<(Key, Count)>, Count) {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        match self.by.is_ordered() {
            true => rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b)),
            false => rows.sort_unstable_by(|(a, of_a), (b, of_b)| {
                Reverse(of_a.messages()).cmp(&Reverse(of_b.messages())).then_with(|| a.cmp(b))
            }),
        }
        let mut total = Count::default();
        rows.iter().for_each(|(_, count)| total.add(count));
        (rows, total)
    }
}

impl Count {
    /// Counts the messages of a cell.
    pub fn add_tally(&mut self, cell: &RollupKey<'_>, tally: &Rollup) {
        self.add_messages(cell, tally.messages);
        self.conflicts += tally.conflicts;
        self.imported += tally.imported;
        self.time_to_sent.add(&tally.time_to_sent);
        self.sent_to_delivered.add(&tally.sent_to_delivered);
    }

    /// Counts one message.
    pub fn add_sample(&mut self, cell: &RollupKey<'_>, sample: Contribution) {
        self.add_messages(cell, 1);
        self.conflicts += i64::from(sample.conflict);
        self.imported += i64::from(sample.imported);
        self.time_to_sent.count(sample.time_to_sent);
        self.sent_to_delivered.count(sample.sent_to_delivered);
    }

    fn add_messages(&mut self, cell: &RollupKey<'_>, messages: i64) {
        self.by_status[place(cell.status)] += messages;
        self.open += messages * i64::from(cell.open_since.is_some());
        if has_read_receipts(&cell.channel) {
            let reached = matches!(cell.status, Some(Status::Delivered | Status::Read));
            self.could_be_read += messages * i64::from(reached);
            self.were_read += messages * i64::from(cell.status == Some(Status::Read));
        }
    }

    fn add(&mut self, other: &Count) {
        self.by_status.iter_mut().zip(other.by_status).for_each(|(ours, theirs)| *ours += theirs);
        self.open += other.open;
        self.conflicts += other.conflicts;
        self.imported += other.imported;
        self.could_be_read += other.could_be_read;
        self.were_read += other.were_read;
        self.time_to_sent.add(&other.time_to_sent.spread());
        self.sent_to_delivered.add(&other.sent_to_delivered.spread());
    }

    /// How many messages there are.
    pub fn messages(&self) -> i64 {
        self.by_status.iter().sum()
    }

    /// How many of them stand there; nothing is `unknown`.
    pub fn of_status(&self, status: Option<Status>) -> i64 {
        self.by_status[place(status)]
    }

    /// How many have evidence of success and of failure.
    pub fn conflicts(&self) -> i64 {
        self.conflicts
    }

    /// Of how many an import brought any event.
    pub fn imported(&self) -> i64 {
        self.imported
    }

    /// From the first word of a message to the first `sent`.
    pub fn time_to_sent(&self) -> DurationHistogram {
        self.time_to_sent.spread()
    }

    /// From the first `sent` to the first `delivered`.
    pub fn sent_to_delivered(&self) -> DurationHistogram {
        self.sent_to_delivered.spread()
    }

    /// How many are outbound and not settled, of which nobody knows yet how they end.
    pub fn open(&self) -> i64 {
        self.open
    }

    fn reached(&self) -> i64 {
        self.of_status(Some(Status::Delivered)) + self.of_status(Some(Status::Read))
    }

    fn not_reached(&self) -> i64 {
        self.of_status(Some(Status::Undelivered)) + self.of_status(Some(Status::Failed))
    }

    /// Of those whose end is known, but for canceled ones: which part was delivered or read.
    pub fn delivery_rate(&self) -> Option<f64> {
        ratio(self.reached(), self.reached() + self.not_reached())
    }

    /// Of the same: which part was undelivered or failed.
    pub fn failure_rate(&self) -> Option<f64> {
        ratio(self.not_reached(), self.reached() + self.not_reached())
    }

    /// Of those delivered on channels with read receipts: which part was read.
    pub fn read_rate(&self) -> Option<f64> {
        ratio(self.were_read, self.could_be_read)
    }
}

fn place(status: Option<Status>) -> usize {
    status.map_or(0, |status| 1 + status as usize)
}

/// A part of a whole; nothing of nothing.
pub fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
