//! How many callbacks arrive.

use crate::domain::{Position, Timestamp};
use crate::store::{Store, StoreError};

/// The minutes over which callbacks are counted: long enough for a slow sender, short enough for an outage.
const MINUTES: u64 = 10;

const MINUTE_MICROS: i64 = 60_000_000;

/// The average number of events a minute in the last ten minutes. Events of a log are nearly in the order of
/// their time, so the first of them is found by halving.
pub fn callbacks_a_minute(
    store: &dyn Store,
    head: Position,
    now: Timestamp,
) -> Result<Option<f64>, StoreError> {
    let since = Timestamp::from_micros(now.micros() - MINUTES as i64 * MINUTE_MICROS);
    // Events up to `before` are older, events from `from` on are not.
    let (mut before, mut from) = (0, head + 1);
    while from - before > 1 {
        let middle = before + (from - before) / 2;
        let Some(event) = store.read_at(&[middle])?.into_iter().next() else { return Ok(None) };
        match event.received_at < since {
            true => before = middle,
            false => from = middle,
        }
    }
    Ok(Some((head + 1 - from) as f64 / MINUTES as f64))
}
