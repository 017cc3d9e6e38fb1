//! When events arrived, found by few reads of the log, because times of arrival mostly rise with
//! positions. Imported events keep their original times, so the results are estimates.

use std::time::Duration;

use crate::domain::{Position, Timestamp};
use crate::store::{Store, StoreError};

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// The number of days before, of which the same hour is compared.
const DAYS: i64 = 7;

/// The number of events of one hour whose times are read. If there are more, they are spread evenly, and
/// the longest gap is that between two of them: longer than the true one.
const READ_MAX: u64 = 256;

/// The minimum number of events in the same hour of all days; with fewer there is no usual gap.
const EVENTS_MIN: u64 = 20;

/// The usual arrivals at this hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// The average time between two events.
    pub every: Duration,
    /// An upper bound of the longest gap between two events.
    pub longest_gap: Duration,
}

/// The first position that arrived at or after a moment; the one after the head if none did.
pub fn first_since(
    store: &dyn Store,
    head: Position,
    moment: Timestamp,
) -> Result<Position, StoreError> {
    let (mut before, mut from) = (0, head + 1);
    while from - before > 1 {
        let middle = before + (from - before) / 2;
        match arrived_at(store, middle)? < moment {
            true => before = middle,
            false => from = middle,
        }
    }
    Ok(from)
}

fn arrived_at(store: &dyn Store, position: Position) -> Result<Timestamp, StoreError> {
    let events = store.read_at(&[position])?;
    Ok(events.first().map_or(Timestamp::from_micros(i64::MAX), |event| event.received_at))
}

/// The numbers of events that arrived between each two of these moments, which rise.
pub fn counted(
    store: &dyn Store,
    head: Position,
    moments: &[Timestamp],
) -> Result<Vec<u64>, StoreError> {
    let firsts = moments.iter().map(|moment| first_since(store, head, *moment));
    let firsts = firsts.collect::<Result<Vec<_>, _>>()?;
    Ok(firsts.windows(2).map(|two| two[1].saturating_sub(two[0])).collect())
}

/// What was usual in the hour around this time of the day, in the last seven days; `None` if there were
/// too few events.
pub fn usual(
    store: &dyn Store,
    head: Position,
    now: Timestamp,
) -> Result<Option<Usual>, StoreError> {
    let (mut events, mut hours, mut longest) = (0, 0, 0);
    for day in 1..=DAYS {
        let middle = now.micros() - day * DAY_MICROS;
        let ends = [middle - HOUR_MICROS / 2, middle + HOUR_MICROS / 2].map(Timestamp::from_micros);
        let first = first_since(store, head, ends[0])?;
        let after = first_since(store, head, ends[1])?;
        let Some(gap) = longest_gap(store, (first, after), ends)? else { continue };
        events += after - first;
        hours += 1;
        longest = longest.max(gap);
    }
    if events < EVENTS_MIN {
        return Ok(None);
    }
    let every = hours as f64 * HOUR_MICROS as f64 / events as f64;
    Ok(Some(Usual {
        every: Duration::from_micros(every as u64),
        longest_gap: Duration::from_micros(longest),
    }))
}

/// The longest time between two events from a position on, before another one; `None` if there are fewer
/// than two, or if their times are not in order or not within the ends.
fn longest_gap(
    store: &dyn Store,
    (first, after): (Position, Position),
    ends: [Timestamp; 2],
) -> Result<Option<u64>, StoreError> {
    let count = after.saturating_sub(first);
    if count < 2 {
        return Ok(None);
    }
    let steps = count.min(READ_MAX) - 1;
    let positions: Vec<_> = (0..=steps).map(|step| first + (count - 1) * step / steps).collect();
    let times: Vec<_> =
        store.read_at(&positions)?.iter().map(|event| event.received_at.micros()).collect();
    let is_within = |time: &i64| (ends[0].micros()..ends[1].micros()).contains(time);
    if !times.iter().all(is_within) {
        return Ok(None);
    }
    Ok(times.windows(2).map(|two| (two[1] - two[0]).max(0) as u64).max())
}
