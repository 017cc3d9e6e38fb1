//! How many callbacks arrive. Events of a log are nearly in the order of their time, so the first of a minute is
//! found by halving, without reading the others.

use std::ops::Range;

use crate::domain::{Position, Timestamp};
use crate::store::{Store, StoreError};

/// The minutes over which callbacks are counted: long enough for a slow sender, short enough for an outage.
pub const MINUTES: usize = 10;

const MINUTE_MICROS: i64 = 60_000_000;

/// The average number of events a minute in the last ten minutes; `None` if the log lacks one of them.
pub fn callbacks_a_minute(
    store: &dyn Store,
    head: Position,
    now: Timestamp,
) -> Result<Option<f64>, StoreError> {
    let first = first_since(store, 1..head + 1, minutes_before(now, MINUTES))?;
    Ok(first.map(|first| (head + 1 - first) as f64 / MINUTES as f64))
}

/// The number of events in each of the last minutes, the oldest one first; `None` if the log lacks one of them.
pub fn callbacks_by_minute(
    store: &dyn Store,
    head: Position,
    now: Timestamp,
    minutes: usize,
) -> Result<Option<Vec<u64>>, StoreError> {
    let mut counts = Vec::with_capacity(minutes);
    let mut first = None;
    for ago in (1..=minutes).rev() {
        let begin = first.unwrap_or(1);
        let Some(from) = first_since(store, begin..head + 1, minutes_before(now, ago))? else {
            return Ok(None);
        };
        counts.extend(first.map(|first| from - first));
        first = Some(from);
    }
    counts.extend(first.map(|first| head + 1 - first));
    Ok(Some(counts))
}

/// The first of these positions whose event was received at this time or later; their end if none was. `None` if
/// the log lacks one of those that were read.
fn first_since(
    store: &dyn Store,
    positions: Range<Position>,
    since: Timestamp,
) -> Result<Option<Position>, StoreError> {
    // Events before `from` are older, events from `until` on are not.
    let Range { start: mut from, end: mut until } = positions;
    while from < until {
        let middle = from + (until - from) / 2;
        let Some(event) = store.read_at(&[middle])?.into_iter().next() else { return Ok(None) };
        match event.received_at < since {
            true => from = middle + 1,
            false => until = middle,
        }
    }
    Ok(Some(from))
}

fn minutes_before(now: Timestamp, minutes: usize) -> Timestamp {
    Timestamp::from_micros(now.micros() - minutes as i64 * MINUTE_MICROS)
}
