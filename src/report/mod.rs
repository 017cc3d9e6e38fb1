//! Delivery reports: messages grouped by one or two of their properties and counted, with rates and times.
//!
//! docs/REPORTS.md defines every figure. A report adds up the rollups that the projection maintains
//! if the filter, the properties and the time zone need nothing else; otherwise it scans the messages.

use std::sync::Arc;

pub mod comparison;
pub mod csv;
mod dense_histogram;
mod dimension;
mod figures;
mod local_time;
mod order;
pub mod output;
mod period;
mod scan;
pub mod stuck;

use std::cell::Cell;

use crate::domain::message::filter::MessageFilter;
use crate::domain::rollup::{Hour, RollupKey};
use crate::domain::zone::Zone;
use crate::domain::{ErrorCodes, Position, Rule};
use crate::store::{Checkpoint, Store, StoreError, Views};

pub use dimension::{Dimension, InvalidDimensions, RowKey, RowKeys, RowKeysRef};
pub use figures::Figures;
pub use order::{Order, SortBy};
pub use period::Period;

use figures::Rows;
use local_time::{LocalTime, LocalTimes};

/// A report to make.
#[derive(Debug, Clone)]
pub struct ReportQuery {
    /// One or two properties.
    pub by: Vec<Dimension>,
    pub filter: MessageFilter,
    /// The zone of days, weeks and so on.
    pub zone: Zone,
    /// The period that the filter's is compared with, which then has both ends.
    pub compare: Option<Period>,
    pub order: Order,
    /// The maximum number of rows; all if `None`.
    pub limit: Option<usize>,
    /// Who is responsible for failures.
    pub error_codes: Arc<ErrorCodes>,
}

/// A finished report.
#[derive(Debug, Clone)]
pub struct Report {
    pub query: ReportQuery,
    /// The report includes at least all events up to here. A scan, which takes a while, may include
    /// later events of the messages that it reaches last.
    pub as_of_position: Position,
    pub rule: Rule,
    pub rows: Vec<Row>,
    pub total: Figures,
    /// The total of the period that it is compared with.
    pub compared_total: Option<Figures>,
}

/// A row: the values that its messages share, and its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub keys: RowKeys,
    pub figures: Figures,
    /// The figures of the period that it is compared with, if there is one. For days, weeks and so on
    /// they are those of the same place in that period.
    pub compared: Option<Figures>,
}

/// Makes a report from the rollups if they suffice, otherwise by scanning the messages.
pub fn report(store: &dyn Store, query: &ReportQuery) -> Result<Report, StoreError> {
    make(query, &|part| match from_rollups(store.views(), part)? {
        Some(counted) => Ok(counted),
        None => scan::scan(store.views(), part),
    })
}

/// Makes a report from the rollups; `None` if they do not suffice and messages would have to be scanned.
pub fn from_rollups_only(
    views: &dyn Views,
    query: &ReportQuery,
) -> Result<Option<Report>, StoreError> {
    if query.rollup_hours().is_none() {
        return Ok(None);
    }
    let suffice = Cell::new(true);
    let report = make(query, &|part| match from_rollups(views, part)? {
        Some(counted) => Ok(counted),
        None => {
            suffice.set(false);
            Ok((views.checkpoint()?, Rows::default()))
        }
    })?;
    Ok(suffice.get().then_some(report))
}

/// Makes a report by scanning every message.
pub fn by_scan(views: &dyn Views, query: &ReportQuery) -> Result<Report, StoreError> {
    make(query, &|part| scan::scan(views, part))
}

/// Counts the messages of one period.
type Count<'a> = &'a dyn Fn(&ReportQuery) -> Result<(Checkpoint, Rows), StoreError>;

fn make(query: &ReportQuery, count: Count<'_>) -> Result<Report, StoreError> {
    let (checkpoint, rows) = count(query)?;
    let (mut figures, total) = rows.finish();
    let mut compared_total = None;
    let mut compared = Rows::default().finish().0;
    if let Some((period, other)) = query.period().zip(query.compare) {
        let (_, rows) = count(&query.in_period(other))?;
        let (theirs, sum) = rows.finish();
        let shifts = period.shifts(other, query);
        compared = theirs.into_iter().map(|(keys, row)| (shifted(keys, &shifts), row)).collect();
        compared_total = Some(sum);
        for keys in compared.keys() {
            figures.entry(keys.clone()).or_default();
        }
    }
    let is_compared = compared_total.is_some();
    let row = |(keys, figures)| {
        let theirs = compared.remove(&keys).unwrap_or_default();
        Row { keys, figures, compared: is_compared.then_some(theirs) }
    };
    let mut rows: Vec<_> = figures.into_iter().map(row).collect();
    query.order.sort(&mut rows, &query.by);
    Ok(Report {
        query: query.clone(),
        as_of_position: checkpoint.position,
        rule: checkpoint.rule,
        rows,
        total,
        compared_total,
    })
}

/// Keys of another period as those of the same place in this one.
fn shifted(mut keys: RowKeys, shifts: &[i64]) -> RowKeys {
    for (key, shift) in keys.iter_mut().zip(shifts) {
        if let RowKey::Number(number) = key {
            *number += shift;
        }
    }
    keys
}

/// Adds up rollups; `None` if messages have to be scanned.
fn from_rollups(
    views: &dyn Views,
    query: &ReportQuery,
) -> Result<Option<(Checkpoint, Rows)>, StoreError> {
    let Some((first, last)) = query.rollup_hours() else { return Ok(None) };
    let (mut rows, mut suffices) = (Rows::default(), true);
    let needs_times = query.by.iter().any(Dimension::is_time);
    let mut times = LocalTimes::new(&query.zone);
    let checkpoint = views.for_each_rollup(first..=last, &mut |key, rollup| {
        if !suffices || !query.matches(&key) {
            return;
        }
        let local = if needs_times { times.of_hour(key.hour) } else { Some(LocalTime::default()) };
        match local {
            Some(local) => {
                let keys = query
                    .by
                    .iter()
                    .map(|by| by.key(&key, None, local, &query.error_codes))
                    .collect();
                rows.row(&RowKeysRef(keys)).add_rollup(&key, rollup);
            }
            None => suffices = false,
        }
    })?;
    Ok(suffices.then_some((checkpoint, rows)))
}

impl ReportQuery {
    /// A report by these properties: of all messages, in UTC.
    pub fn new(by: impl Into<Vec<Dimension>>) -> Self {
        Self {
            by: by.into(),
            filter: MessageFilter::default(),
            zone: Zone::default(),
            compare: None,
            order: Order::default(),
            limit: None,
            error_codes: Arc::default(),
        }
    }

    /// The filter's period, if it has both ends.
    pub fn period(&self) -> Option<Period> {
        let (since, until) = (self.filter.since?, self.filter.until?);
        Some(Period { since, until })
    }

    /// The names of the tags by which messages are grouped.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.by.iter().filter_map(|by| match by {
            Dimension::Tag(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn in_period(&self, Period { since, until }: Period) -> Self {
        let filter =
            MessageFilter { since: Some(since), until: Some(until), ..self.filter.clone() };
        Self { filter, ..self.clone() }
    }

    /// The first and the last hour of the report if rollups suffice for it; otherwise `None`.
    fn rollup_hours(&self) -> Option<(Hour, Hour)> {
        let of_rollups = MessageFilter {
            status: self.filter.status,
            error_code: self.filter.error_code,
            account_sid: self.filter.account_sid.clone(),
            channel: self.filter.channel.clone(),
            country: self.filter.country,
            since: self.filter.since,
            until: self.filter.until,
            open: self.filter.open,
            inbound: self.filter.inbound,
            simulated: self.filter.simulated,
            ..MessageFilter::default()
        };
        if self.by.iter().any(Dimension::needs_messages) || self.filter != of_rollups {
            return None;
        }
        let first = self.filter.since.map_or(Some(Hour(i64::MIN)), Hour::starting_at)?;
        let end = self.filter.until.map_or(Some(Hour(i64::MAX)), Hour::starting_at)?;
        Some((first, Hour(end.0 - 1)))
    }

    /// Whether the filter matches a rollup of the right hours.
    fn matches(&self, key: &RollupKey<'_>) -> bool {
        let MessageFilter {
            status,
            error_code,
            account_sid,
            channel,
            country,
            open,
            inbound,
            simulated,
            ..
        } = &self.filter;
        let is = |wanted: &Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        status.is_none_or(|wanted| wanted == key.status)
            && error_code.is_none_or(|wanted| key.error_code == Some(wanted))
            && account_sid
                .as_ref()
                .is_none_or(|wanted| key.account_sid.as_deref() == Some(wanted.as_str()))
            && is(open, key.open_since.is_some())
            && is(inbound, key.inbound)
            && is(simulated, key.simulated)
            && channel.as_ref().is_none_or(|wanted| key.channel == *wanted)
            && country.is_none_or(|wanted| key.country == Some(wanted))
    }
}
