//! Which statuses were heard, and when each was first.

use smallvec::SmallVec;

use crate::domain::{Status, Timestamp};

/// Statuses with the moment of their first arrival, in order of precedence. Most messages have two
/// or three, which take no memory of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusTimes(SmallVec<[(Status, Timestamp); 3]>);

impl StatusTimes {
    /// Notes that a status was heard at a moment; the earliest stays.
    pub fn record(&mut self, status: Status, at: Timestamp) {
        if self.highest().is_none_or(|highest| highest < status) {
            return self.0.push((status, at));
        }
        match self.0.binary_search_by_key(&status, |(have, _)| *have) {
            Ok(place) => self.0[place].1 = at.min(self.0[place].1),
            Err(place) => self.0.insert(place, (status, at)),
        }
    }

    /// When a status was first heard.
    pub fn first(&self, status: Status) -> Option<Timestamp> {
        self.iter().find(|(have, _)| *have == status).map(|(_, at)| at)
    }

    /// The highest status heard, whatever the rule.
    pub fn highest(&self) -> Option<Status> {
        self.0.last().map(|(status, _)| *status)
    }

    /// Whether there is evidence of success.
    pub fn has_success(&self) -> bool {
        self.statuses().any(Status::is_success)
    }

    /// Whether there is evidence of failure.
    pub fn has_failure(&self) -> bool {
        self.statuses().any(Status::is_failure)
    }

    /// Status and moment, in order of precedence.
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
