//! How fast a ledger grows, and how long the free space of its disk will last.

use super::arrivals::first_since;
use super::finding::Finding;
use crate::domain::{Position, Timestamp};
use crate::store::{Store, StoreError};

const MIB: u64 = 1 << 20;

const DAYS_FEW: f64 = 30.0;
const DAYS_TOO_FEW: f64 = 3.0;

/// The period over which growth is measured: a week, because traffic differs by the day of the week.
const WINDOW_DAYS: f64 = 7.0;

const DAY_MICROS: f64 = 86_400e6;

/// How fast the ledger grows.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    events_a_day: f64,
    bytes_a_day: f64,
    disk_free: u64,
}

impl Growth {
    /// The average over the last week; `None` if there are no events, they cannot be read, or the free space
    /// is not known.
    pub fn measure(store: &dyn Store, head: Position, now: Timestamp) -> Option<Self> {
        let sizes = store.sizes().ok()?;
        let events_a_day = events_a_day(store, head, now).ok()?;
        let bytes_an_event = (sizes.log + sizes.views) as f64 / head as f64;
        let bytes_a_day = bytes_an_event * events_a_day;
        Some(Self { events_a_day, bytes_a_day, disk_free: sizes.disk_free? })
    }

    /// How many days the free space will last.
    fn days(self) -> f64 {
        self.disk_free as f64 / self.bytes_a_day.max(1.0)
    }

    /// How long the free space will last, such as `3 years`.
    pub fn lasts(self) -> String {
        in_words(self.days())
    }

    /// A problem if the free space will not last for long.
    pub fn finding(self) -> Finding {
        let detail = format!(
            "{:.0} events and {:.1} MiB a day; the disk will be full in {}",
            self.events_a_day,
            self.bytes_a_day / MIB as f64,
            self.lasts()
        );
        match self.days() {
            days if days < DAYS_TOO_FEW => Finding::fail(
                detail,
                "free disk space, or start a new ledger now (docs/operations/files.md)",
            ),
            days if days < DAYS_FEW => Finding::warn(
                detail,
                "free disk space, or plan a new ledger (docs/operations/files.md)",
            ),
            _ => Finding::ok(detail),
        }
    }
}

/// The average over the last week. For a ledger younger than a day, the events so far count as those of
/// a day, because its first minutes say nothing about its later rate.
fn events_a_day(store: &dyn Store, head: Position, now: Timestamp) -> Result<f64, StoreError> {
    let since = now.micros() - (WINDOW_DAYS * DAY_MICROS) as i64;
    let from = first_since(store, head, Timestamp::from_micros(since))?;
    let events = (head + 1 - from) as f64;
    let age = match store.read_at(&[1])?.first() {
        Some(first) if from == 1 => (now.micros() - first.received_at.micros()) as f64 / DAY_MICROS,
        _ => WINDOW_DAYS,
    };
    Ok(events / age.clamp(1.0, WINDOW_DAYS))
}

fn in_words(days: f64) -> String {
    match days {
        days if days > 3650.0 => "more than ten years".to_owned(),
        days if days > 730.0 => format!("{:.0} years", days / 365.0),
        days if days < 1.5 => "a day or less".to_owned(),
        days => format!("{days:.0} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::{Growth, MIB};

    #[test]
    fn the_remaining_space_is_reported_in_days() {
        let lasting = |mib_a_day: u64| {
            let bytes_a_day = (mib_a_day * MIB) as f64;
            Growth { events_a_day: 1e6, bytes_a_day, disk_free: 10_000 * MIB }.finding()
        };
        assert_eq!(
            lasting(1).detail,
            "1000000 events and 1.0 MiB a day; the disk will be full in more than ten years"
        );
        assert_eq!(
            lasting(10).detail,
            "1000000 events and 10.0 MiB a day; the disk will be full in 3 years"
        );
        assert_eq!(lasting(10).outcome, Outcome::Ok);
        assert_eq!(
            lasting(1000).detail,
            "1000000 events and 1000.0 MiB a day; the disk will be full in 10 days"
        );
        assert_eq!(lasting(1000).outcome, Outcome::Warn);
        assert_eq!(lasting(5000).outcome, Outcome::Fail);
    }
}
