//! Delivery reports: messages grouped by one of their properties and counted, with rates and times.
//!
//! docs/REPORTS.md defines every figure. A report adds up the rollups that the projection maintains
//! if the filter needs nothing else; otherwise it scans the messages.

mod dense_histogram;
mod dimension;
mod figures;
pub mod output;
mod scan;
pub mod stuck;

use crate::domain::message::filter::MessageFilter;
use crate::domain::rollup::{Hour, RollupKey};
use crate::domain::{Position, Rule, Timestamp};
use crate::store::{Store, StoreError, Views};

pub use dimension::{Dimension, RowKey};
pub use figures::Figures;

use figures::Rows;

/// A report to make.
#[derive(Debug, Clone)]
pub struct ReportQuery {
    pub by: Dimension,
    pub filter: MessageFilter,
}

/// A finished report.
#[derive(Debug, Clone)]
pub struct Report {
    pub by: Dimension,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// The report includes at least all events up to here. A scan, which takes a while, may include
    /// later events of the messages that it reaches last.
    pub as_of_position: Position,
    pub rule: Rule,
    /// In order of time or error code; otherwise the largest first.
    pub rows: Vec<(RowKey, Figures)>,
    pub total: Figures,
}

/// Makes a report from the rollups if they suffice, otherwise by scanning the messages.
pub fn report(store: &dyn Store, query: &ReportQuery) -> Result<Report, StoreError> {
    match query.rollup_hours() {
        Some(hours) => from_rollups(store.views(), query, hours),
        None => by_scan(store.views(), query),
    }
}

/// Makes a report by scanning every message.
pub fn by_scan(views: &dyn Views, query: &ReportQuery) -> Result<Report, StoreError> {
    let (checkpoint, rows) = scan::scan(views, query)?;
    Ok(query.report(checkpoint.position, checkpoint.rule, rows))
}

fn from_rollups(
    views: &dyn Views,
    query: &ReportQuery,
    (first, last): (Hour, Hour),
) -> Result<Report, StoreError> {
    let mut rows = Rows::new(query.by);
    let checkpoint = views.for_each_rollup(first..=last, &mut |key, rollup| {
        if query.matches(&key) {
            rows.row(&key, None).add_rollup(&key, rollup);
        }
    })?;
    Ok(query.report(checkpoint.position, checkpoint.rule, rows))
}

impl ReportQuery {
    /// The first and the last hour of the report if rollups suffice for it; otherwise `None`.
    fn rollup_hours(&self) -> Option<(Hour, Hour)> {
        let of_rollups = MessageFilter {
            status: self.filter.status,
            error_code: self.filter.error_code,
            account_sid: self.filter.account_sid.clone(),
            channel: self.filter.channel.clone(),
            since: self.filter.since,
            until: self.filter.until,
            inbound: self.filter.inbound,
            simulated: self.filter.simulated,
            ..MessageFilter::default()
        };
        if self.by.needs_messages() || self.filter != of_rollups {
            return None;
        }
        let first = self.filter.since.map_or(Some(Hour(i64::MIN)), Hour::starting_at)?;
        let end = self.filter.until.map_or(Some(Hour(i64::MAX)), Hour::starting_at)?;
        Some((first, Hour(end.0 - 1)))
    }

    /// Whether the filter matches a rollup of the right hours.
    fn matches(&self, key: &RollupKey<'_>) -> bool {
        let MessageFilter { status, error_code, account_sid, channel, inbound, simulated, .. } =
            &self.filter;
        let is = |wanted: &Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        status.is_none_or(|wanted| wanted == key.status)
            && error_code.is_none_or(|wanted| key.error_code == Some(wanted))
            && account_sid
                .as_ref()
                .is_none_or(|wanted| key.account_sid.as_deref() == Some(wanted.as_str()))
            && is(inbound, key.inbound)
            && is(simulated, key.simulated)
            && channel.as_ref().is_none_or(|wanted| key.channel == *wanted)
    }

    fn report(&self, as_of_position: Position, rule: Rule, rows: Rows) -> Report {
        let (rows, total) = rows.finish();
        Report {
            by: self.by,
            since: self.filter.since,
            until: self.filter.until,
            as_of_position,
            rule,
            rows,
            total,
        }
    }
}
