//! Counts stuck messages, which have been open for a long time, from the rollups.

use crate::domain::Timestamp;
use crate::domain::rollup::range::RollupRange;
use crate::domain::rollup::{Hour, RollupLength};
use crate::store::{StoreError, Views};

/// The age in hours at which an open message is stuck. Carriers report most outcomes within minutes,
/// and the last ones after some hours.
const STUCK_AFTER_HOURS: i64 = 12;

/// The age in hours up to which its status may still change; by default, reconcile does not fetch
/// older messages.
const CHANGES_FOR_HOURS: i64 = 72;

const HOUR_MICROS: i64 = 3_600_000_000;

/// The number of stuck messages, without simulated ones: nothing will ever report their outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stuck {
    /// All stuck messages.
    pub all: i64,
    /// Those that are young enough to change.
    pub recent: i64,
}

impl Stuck {
    /// Counts them at a moment. Ages are whole hours: a message is stuck once its twelfth hour is over.
    pub fn count(views: &dyn Views, now: Timestamp) -> Result<Self, StoreError> {
        let ago = |hours: i64| {
            Hour::from_timestamp(Timestamp::from_micros(
                now.micros().saturating_sub(hours * HOUR_MICROS),
            ))
        };
        let (stuck_before, recent_from) = (ago(STUCK_AFTER_HOURS), ago(CHANGES_FOR_HOURS));
        let mut stuck = Self::default();
        // All hours: an imported message may have begun long before the hour in which it was received.
        views.for_each_rollup(&[RollupRange::all(RollupLength::Day)], &mut |key, rollup| {
            let open_since = key.open_since.filter(|_| !key.simulated);
            if let Some(since) = open_since.filter(|since| *since < stuck_before) {
                stuck.all += rollup.messages;
                stuck.recent += if since >= recent_from { rollup.messages } else { 0 };
            }
        })?;
        Ok(stuck)
    }
}
