//! Makes a report by scanning the messages, for filters and dimensions that rollups do not have.

use std::thread;

use super::clock::ClockFilter;
use super::figures::Rows;
use super::local_time::{LocalTime, LocalTimes};
use super::{Dimension, ReportQuery, RowKeysRef};
use crate::domain::message::message_ref::MessageRef;
use crate::domain::rollup::RollupKey;
use crate::projection::throttle;
use crate::store::{Checkpoint, StoreError, Views};

/// The number of threads that share the messages. Each uses a reader of the database that
/// others may be waiting for.
const THREADS: u64 = 2;

/// Messages per statement: some milliseconds, so that nobody waits long for the reader.
const PAGE_MESSAGES: u64 = 8192;

/// Counts every message that exists at the start, as it is when the scan reaches it. Returns the
/// checkpoint of the start.
pub fn scan(views: &dyn Views, query: &ReportQuery) -> Result<(Checkpoint, Rows), StoreError> {
    let checkpoint = views.checkpoint()?;
    let last = views.count()?;
    let rows = thread::scope(|scope| {
        let part = |thread: u64| (last * thread / THREADS, last * (thread + 1) / THREADS);
        let threads: Vec<_> = (0..THREADS)
            .map(part)
            .map(|(after, last)| scope.spawn(move || scan_part(views, query, after, last)))
            .collect();
        let mut rows = Rows::default();
        for thread in threads {
            let part = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            rows.merge(part?);
        }
        Ok::<_, StoreError>(rows)
    })?;
    Ok((checkpoint, rows))
}

/// Counts the messages in a range of ids, its first one excluded.
fn scan_part(
    views: &dyn Views,
    query: &ReportQuery,
    mut after: u64,
    last: u64,
) -> Result<Rows, StoreError> {
    throttle::lower_priority(throttle::NICE);
    let mut counting = Counting::new(query);
    while after < last {
        let (until, mut seen) = (last.min(after + PAGE_MESSAGES), 0);
        views.for_each_message(after, until, &mut |message| {
            counting.count(message);
            seen += 1;
        })?;
        // Ids are dense: some are missing only if the views have been emptied meanwhile.
        if seen < until - after {
            return Err(StoreError::CheckpointMoved);
        }
        after = until;
    }
    Ok(counting.rows)
}

/// The rows so far, and what counting needs.
struct Counting<'q> {
    query: &'q ReportQuery,
    filter: ClockFilter,
    rows: Rows,
    times: LocalTimes<'q>,
    needs_times: bool,
    needs_country: bool,
}

impl<'q> Counting<'q> {
    fn new(query: &'q ReportQuery) -> Self {
        Self {
            query,
            filter: ClockFilter::new(&query.filter),
            rows: Rows::default(),
            times: LocalTimes::new(&query.zone),
            needs_times: query.by.iter().any(Dimension::is_time),
            needs_country: query.by.contains(&Dimension::Country),
        }
    }

    fn count(&mut self, message: &MessageRef<'_>) {
        let known = self.query.clock.time_of(message);
        let at = known.unwrap_or(message.first_received_at);
        if !self.filter.matches(message, at) {
            return;
        }
        let key = match self.needs_country {
            true => RollupKey::from_message(message),
            false => RollupKey::from_message_without_country(message),
        };
        let local = match self.needs_times {
            true => self.times.of_time(at),
            false => LocalTime::default(),
        };
        let keys = self
            .query
            .by
            .iter()
            .map(|by| by.key(&key, Some(message), local, &self.query.error_codes))
            .collect();
        let row = self.rows.row(&RowKeysRef(keys));
        row.add_message(&key, self.query.clock.contribution(message), known.is_some());
    }
}
