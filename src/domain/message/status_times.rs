//! The reported statuses of a message, with the time of each one's first arrival.

use smallvec::SmallVec;

use crate::domain::{Status, Timestamp};

/// The reported statuses with the time of their first arrival, in order of precedence. Up to three,
/// as for most messages, are stored inline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusTimes(SmallVec<[(Status, Timestamp); 3]>);

impl StatusTimes {
    /// Records that a status was reported; of several times the earliest is kept.
    pub fn record(&mut self, status: Status, at: Timestamp) {
        if self.highest().is_none_or(|highest| highest < status) {
            return self.0.push((status, at));
        }
        match self.0.binary_search_by_key(&status, |(recorded, _)| *recorded) {
            Ok(index) => self.0[index].1 = at.min(self.0[index].1),
            Err(index) => self.0.insert(index, (status, at)),
        }
    }

    /// The time at which a status was first reported.
    pub fn first(&self, status: Status) -> Option<Timestamp> {
        self.iter().find(|(recorded, _)| *recorded == status).map(|(_, at)| at)
    }

    /// The highest status in order of precedence.
    pub fn highest(&self) -> Option<Status> {
        self.0.last().map(|(status, _)| *status)
    }

    /// True if a success was reported.
    pub fn has_success(&self) -> bool {
        self.statuses().any(Status::is_success)
    }

    /// True if a failure was reported.
    pub fn has_failure(&self) -> bool {
        self.statuses().any(Status::is_failure)
    }

    /// True if both a success and a failure were reported.
    pub fn has_conflict(&self) -> bool {
        self.has_success() && self.has_failure()
    }

    /// Statuses and times, in order of precedence.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Status, Timestamp)> {
        self.0.iter().copied()
    }

    /// Every status, in order of precedence.
    pub fn statuses(&self) -> impl Iterator<Item = Status> {
        self.iter().map(|(status, _)| status)
    }
}

impl FromIterator<(Status, Timestamp)> for StatusTimes {
    fn from_iter<I: IntoIterator<Item = (Status, Timestamp)>>(status_times: I) -> Self {
        let mut all = Self::default();
        status_times.into_iter().for_each(|(status, at)| all.record(status, at));
        all
    }
}
