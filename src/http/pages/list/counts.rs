//! The numbers above a list of messages: how many there are by status, and when they arrived.
//!
//! Roll-ups give exact numbers for any period of whole hours. For other filters, messages are counted one by
//! one up to a limit.

use crate::domain::message::filter::MessageFilter;
use crate::domain::message::message_ref::MessageRef;
use crate::domain::rollup::Hour;
use crate::domain::{Status, Timestamp};
use crate::report::{Dimension, Figures, Report, ReportQuery, RowKey, from_rollups_only};
use crate::store::{Message, StoreError, Views};

/// The messages that are counted one by one: some 20 ms.
const COUNTED_MAX: usize = 1000;

/// The bars of the chart: a week. Of a longer period, bars would be thinner than their outlines.
const HOURS_MAX: i64 = 7 * 24;

const HOUR_SECONDS: i64 = 3600;

/// The numbers of a filter, whatever status it selects, and whether open messages or others.
pub struct Counts {
    /// Messages by status, if all were counted; `None` if there are more than [`messages`](Self::messages).
    by_status: Option<Vec<(Option<Status>, i64)>>,
    /// The messages counted.
    pub messages: i64,
    /// Open messages, if all were counted.
    pub open: Option<i64>,
    /// Messages in conflict, with late and with duplicate callbacks, if roll-ups were counted.
    pub conflicts: Option<i64>,
    pub late: Option<i64>,
    pub duplicate: Option<i64>,
    /// The hours from the first to the last one; empty if there is no chart.
    pub hours: Vec<HourCount>,
}

/// The messages that arrived first in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourCount {
    pub starts_at: Timestamp,
    pub messages: i64,
    pub failed: i64,
}

impl Counts {
    /// Counts the messages that match, of any status.
    pub fn new(
        views: &dyn Views,
        filter: &MessageFilter,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let filter = MessageFilter { status: None, open: None, ..filter.clone() };
        let query = ReportQuery { filter, ..ReportQuery::new([Dimension::Hour]) };
        match from_rollups_only(views, &query)? {
            Some(report) => Ok(Self::from_report(&report, now)),
            None => Self::one_by_one(views, &query.filter),
        }
    }

    fn from_report(report: &Report, now: Timestamp) -> Self {
        let total = &report.total;
        let statuses = Status::ALL.into_iter().map(Some).chain([None]);
        Self {
            by_status: Some(statuses.map(|status| (status, total.of_status(status))).collect()),
            messages: total.messages(),
            open: Some(total.open()),
            conflicts: Some(total.conflicts()),
            late: Some(total.late()),
            duplicate: Some(total.duplicate()),
            hours: hours(report, now),
        }
    }

    fn one_by_one(views: &dyn Views, filter: &MessageFilter) -> Result<Self, StoreError> {
        let page = views.list(filter, None, COUNTED_MAX)?;
        let statuses = Status::ALL.into_iter().map(Some).chain([None]);
        let of = |status| {
            let has = |message: &&Message| message.lifecycle.evidence.status() == status;
            page.messages.iter().filter(has).count() as i64
        };
        let is_open =
            |message: &&Message| MessageRef::new(&message.key, &message.lifecycle).is_open();
        let are_all = page.next_before.is_none();
        Ok(Self {
            by_status: are_all.then(|| statuses.map(|status| (status, of(status))).collect()),
            messages: page.messages.len() as i64,
            open: are_all.then(|| page.messages.iter().filter(is_open).count() as i64),
            conflicts: None,
            late: None,
            duplicate: None,
            hours: Vec::new(),
        })
    }

    /// True if all messages were counted.
    pub fn are_exact(&self) -> bool {
        self.by_status.is_some()
    }

    /// The messages that match the whole filter; `None` if not all were counted.
    pub fn total(&self, filter: &MessageFilter) -> Option<i64> {
        match (filter.status, filter.open) {
            (None, None) => self.are_exact().then_some(self.messages),
            (Some(status), None) => self.of_status(status),
            (None, Some(true)) => self.open,
            // No tab leads to these.
            _ => None,
        }
    }

    /// The messages of a status; `None` if not all were counted.
    pub fn of_status(&self, status: Option<Status>) -> Option<i64> {
        let by_status = self.by_status.as_ref()?;
        by_status.iter().find(|(one, _)| *one == status).map(|(_, messages)| *messages)
    }
}

/// Every hour from the first of the report's period to the present one; none if they are too many, or if the
/// period has no beginning.
fn hours(report: &Report, now: Timestamp) -> Vec<HourCount> {
    let filter = &report.query.filter;
    let Some(first) = filter.since.map(Hour::from_timestamp) else { return Vec::new() };
    let end = filter
        .until
        .filter(|until| *until < now)
        .map_or(Hour::from_timestamp(now).0, |until| Hour::from_timestamp(until).0 - 1);
    if !(1..HOURS_MAX).contains(&(end - first.0)) {
        return Vec::new();
    }
    let of = |hour: i64| {
        let key = RowKey::Number(hour * HOUR_SECONDS);
        report.rows.iter().find(|row| row.keys.first() == Some(&key)).map(|row| &row.figures)
    };
    let count = |hour: i64| HourCount {
        starts_at: Hour(hour).start(),
        messages: of(hour).map_or(0, Figures::messages),
        failed: of(hour).map_or(0, Figures::not_reached),
    };
    (first.0..=end).map(count).collect()
}
