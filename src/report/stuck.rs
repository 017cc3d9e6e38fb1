//! Messages that have been open for long, counted from the cells, by whole hours of their age.

use crate::domain::Timestamp;
use crate::domain::rollup::Hour;
use crate::store::{StoreError, Views};

/// After how many hours an open message counts as stuck. Carriers report most within minutes, and
/// the last after some hours.
const STUCK_AFTER_HOURS: i64 = 12;

/// For how many hours its status may still change: after that reconcile asks no more by default.
const CHANGES_FOR_HOURS: i64 = 72;

const HOUR_MICROS: i64 = 3_600_000_000;

/// How many messages are stuck. Simulated ones are not counted: nobody can report on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stuck {
    pub all: i64,
    /// Those of them that are young enough to change.
    pub recent: i64,
}

impl Stuck {
    /// Counts them at a moment; a message counts once its twelfth whole hour is over.
    pub fn count(views: &dyn Views, now: Timestamp) -> Result<Self, StoreError> {
        let ago = |hours: i64| {
            Hour::of(Timestamp::from_micros(now.micros().saturating_sub(hours * HOUR_MICROS)))
        };
        let (stuck_before, recent_from) = (ago(STUCK_AFTER_HOURS), ago(CHANGES_FOR_HOURS));
        let mut stuck = Self::default();
        // An imported message may be older than the hour in which it arrived here.
        views.for_each_rollup(Hour(i64::MIN)..=Hour(i64::MAX), &mut |cell, tally| {
            let open_since = cell.open_since.filter(|_| !cell.simulated);
            if let Some(since) = open_since.filter(|since| *since < stuck_before) {
                stuck.all += tally.messages;
                stuck.recent += if since >= recent_from { tally.messages } else { 0 };
            }
        })?;
        Ok(stuck)
    }
}
