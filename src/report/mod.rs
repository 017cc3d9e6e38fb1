//! Delivery reports: messages grouped by one or two of their properties and counted, with rates and times.
//!
//! docs/REPORTS.md defines every figure. A report adds up the rollups that the projection maintains
//! if the filter, the properties and the time zone need nothing else; otherwise it scans the messages.

use std::sync::Arc;

mod calendar;
mod clock;
pub mod comparison;
pub mod csv;
mod dimension;
pub mod figures;
mod local_time;
mod order;
pub mod output;
mod period;
mod rollups;
mod scan;
pub mod stuck;

use std::cell::Cell;

use crate::domain::message::filter::MessageFilter;
use crate::domain::rollup::{Hour, RollupKey};
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCodes, Position, Rule, Timestamp};
use crate::store::{Checkpoint, Store, StoreError, Views};

pub use calendar::Step;
pub use clock::Clock;
pub use dimension::{Dimension, InvalidDimensions, RowKey, RowKeys, RowKeysRef};
pub use figures::Figures;
pub use order::{Order, SortBy};
pub use period::Period;

use figures::Rows;

/// A report to make.
#[derive(Debug, Clone)]
pub struct ReportQuery {
    /// One or two properties.
    pub by: Vec<Dimension>,
    /// The messages that are counted.
    pub filter: MessageFilter,
    /// Whose times decide when a message counts, and its durations.
    pub clock: Clock,
    /// The zone of days, weeks and so on.
    pub zone: Zone,
    /// The period that the filter's is compared with, which then has both ends.
    pub compare: Option<Period>,
    /// The order of the rows.
    pub order: Order,
    /// The maximum number of rows; all if `None`.
    pub limit: Option<usize>,
    /// Who is responsible for failures.
    pub error_codes: Arc<ErrorCodes>,
}

/// A finished report.
#[derive(Debug, Clone)]
pub struct Report {
    /// The report that was requested.
    pub query: ReportQuery,
    /// The report includes at least all events up to here. A scan, which takes a while, may include
    /// later events of the messages that it reaches last.
    pub as_of_position: Position,
    /// The rule by which statuses were decided.
    pub rule: Rule,
    /// The rows, in the requested order and number.
    pub rows: Vec<Row>,
    /// The figures of all messages, also of rows beyond the limit.
    pub total: Figures,
    /// The total of the period that it is compared with.
    pub compared_total: Option<Figures>,
    /// Events of the period that were erased, and are in no figure.
    pub erased_events: u64,
}

/// A row: the values that its messages share, and its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The values of the properties.
    pub keys: RowKeys,
    /// The figures of the messages with these values.
    pub figures: Figures,
    /// The figures of the period that it is compared with, if there is one. For days, weeks and so on
    /// they are those of the same place in that period.
    pub compared: Option<Figures>,
}

/// Makes a report from the rollups if they suffice, otherwise by scanning the messages.
pub fn report(store: &dyn Store, query: &ReportQuery) -> Result<Report, StoreError> {
    let [report] = reports(store, query, [query.by.clone()])?;
    Ok(report)
}

/// Makes several reports of the same messages, each by other properties than the query's. If the rollups
/// suffice they are read only once, so all reports are as of the same position.
pub fn reports<const N: usize>(
    store: &dyn Store,
    query: &ReportQuery,
    by: [Vec<Dimension>; N],
) -> Result<[Report; N], StoreError> {
    let views = store.views();
    let mut reports = make(query, by, &|part, by| match rollups::count(views, part, by)? {
        Some(counted) => Ok(counted),
        None => scan_each(views, part, by),
    })?;
    let erased_events = erased_events(store, query)?;
    reports.iter_mut().for_each(|report| report.erased_events = erased_events);
    Ok(reports)
}

/// The erased events of a report's period. What they were about is not known any more.
fn erased_events(store: &dyn Store, query: &ReportQuery) -> Result<u64, StoreError> {
    let erasing = store.erasing();
    if !erasing.has_erased()? {
        return Ok(0);
    }
    let since = query.filter.since.unwrap_or(Timestamp::from_micros(i64::MIN));
    let until = query.filter.until.unwrap_or(Timestamp::from_micros(i64::MAX));
    erasing.erased_between(since, until)
}

/// Makes a report from the rollups; `None` if they do not suffice and messages would have to be scanned.
pub fn from_rollups_only(
    views: &dyn Views,
    query: &ReportQuery,
) -> Result<Option<Report>, StoreError> {
    if query.rollup_hours(&query.by).is_none() {
        return Ok(None);
    }
    let suffice = Cell::new(true);
    let [report] = make(query, [query.by.clone()], &|part, by| {
        if let Some(counted) = rollups::count(views, part, by)? {
            return Ok(counted);
        }
        suffice.set(false);
        Ok((views.checkpoint()?, by.each_ref().map(|_| Rows::default())))
    })?;
    Ok(suffice.get().then_some(report))
}

/// Makes a report by scanning every message.
pub fn by_scan(views: &dyn Views, query: &ReportQuery) -> Result<Report, StoreError> {
    let [report] = make(query, [query.by.clone()], &|part, by| scan_each(views, part, by))?;
    Ok(report)
}

/// The rows of several reports, each by its own properties.
type Counted<const N: usize> = (Checkpoint, [Rows; N]);

/// Counts the messages of one period by each of these properties.
type Count<'a, const N: usize> =
    &'a dyn Fn(&ReportQuery, &[Vec<Dimension>; N]) -> Result<Counted<N>, StoreError>;

fn make<const N: usize>(
    query: &ReportQuery,
    by: [Vec<Dimension>; N],
    count: Count<'_, N>,
) -> Result<[Report; N], StoreError> {
    let (checkpoint, rows) = count(query, &by)?;
    let compared = match query.period().zip(query.compare) {
        None => by.each_ref().map(|_| None),
        Some((period, other)) => {
            let (_, rows) = count(&query.in_period(other), &by)?;
            rows.map(|rows| Some((period, other, rows)))
        }
    };
    let mut parts = rows.into_iter().zip(compared);
    Ok(by.map(|by| {
        let (rows, compared) = parts.next().unwrap_or_default();
        let query = ReportQuery { by, ..query.clone() };
        finished(query, &checkpoint, rows, compared)
    }))
}

/// A report of these rows, and those of the period that it is compared with.
fn finished(
    query: ReportQuery,
    checkpoint: &Checkpoint,
    rows: Rows,
    compared: Option<(Period, Period, Rows)>,
) -> Report {
    let (mut figures, total) = rows.finish();
    let mut compared_total = None;
    let mut theirs = Rows::default().finish().0;
    if let Some((period, other, rows)) = compared {
        let (rows, sum) = rows.finish();
        let shifts = period.shifts(other, &query);
        theirs = rows.into_iter().map(|(keys, row)| (shifted(keys, &shifts), row)).collect();
        compared_total = Some(sum);
        for keys in theirs.keys() {
            figures.entry(keys.clone()).or_default();
        }
    }
    let is_compared = compared_total.is_some();
    let row = |(keys, figures)| {
        let theirs = theirs.remove(&keys).unwrap_or_default();
        Row { keys, figures, compared: is_compared.then_some(theirs) }
    };
    let mut rows: Vec<_> = figures.into_iter().map(row).collect();
    query.order.sort(&mut rows, &query.by);
    Report {
        query,
        as_of_position: checkpoint.position,
        rule: checkpoint.rule,
        rows,
        total,
        compared_total,
        erased_events: 0,
    }
}

/// Scans the messages once for each report.
fn scan_each<const N: usize>(
    views: &dyn Views,
    query: &ReportQuery,
    by: &[Vec<Dimension>; N],
) -> Result<Counted<N>, StoreError> {
    let mut checkpoint = None;
    let mut rows = by.each_ref().map(|_| Rows::default());
    for (rows, by) in rows.iter_mut().zip(by) {
        let query = ReportQuery { by: by.clone(), ..query.clone() };
        let (at, counted) = scan::scan(views, &query)?;
        checkpoint.get_or_insert(at);
        *rows = counted;
    }
    let checkpoint = checkpoint.map_or_else(|| views.checkpoint(), Ok)?;
    Ok((checkpoint, rows))
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

impl ReportQuery {
    /// A report by these properties: of all messages, by the ledger's clock, in UTC.
    pub fn new(by: impl Into<Vec<Dimension>>) -> Self {
        Self {
            by: by.into(),
            filter: MessageFilter::default(),
            clock: Clock::default(),
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

    /// The first and the last hour of reports by these properties if rollups suffice; otherwise `None`.
    fn rollup_hours<'d>(
        &self,
        by: impl IntoIterator<Item = &'d Dimension>,
    ) -> Option<(Hour, Hour)> {
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
        // Rollups have the hours and durations of the ledger's clock.
        let needs_messages = by.into_iter().any(Dimension::needs_messages);
        if needs_messages || self.clock != Clock::Ledger || self.filter != of_rollups {
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
