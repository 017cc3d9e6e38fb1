//! Checks of disk space: what is free now, how long it will last, and the size of the write-ahead logs.

use super::context::DoctorContext;
use super::finding::Finding;
use crate::domain::{Position, Timestamp};
use crate::store::{Store, StoreError, inspect};

const MIB: u64 = 1 << 20;

/// Below this a busy server may fill the disk before anybody notices: a WAL and the sorter of a
/// rebuild take some hundred MiB.
const FREE_FEW_BYTES: u64 = 1024 * MIB;

/// Below this a WAL that a long reader holds up may fill the disk.
const FREE_TOO_FEW_BYTES: u64 = 256 * MIB;

/// The period over which growth is measured: a week, because traffic differs by the day of the week.
const WINDOW_DAYS: f64 = 7.0;

const DAYS_FEW: f64 = 30.0;
const DAYS_TOO_FEW: f64 = 3.0;

/// Larger than a check that reads everything may make it; see docs/operations/verifying.md.
const WAL_LARGE_BYTES: u64 = 128 * MIB;

const DAY_MICROS: f64 = 86_400e6;

/// Checks the free space of the log's file system.
pub fn free(context: &DoctorContext) -> Vec<Finding> {
    let Some(database) = &context.database else { return Vec::new() };
    match inspect::sizes(database) {
        Ok(sizes) => vec![of_free(sizes.disk_free)],
        Err(error) if context.ledger().is_some() => {
            vec![Finding::fail(error.to_string(), "check the disk and its mount")]
        }
        // The folder does not exist yet; it is created with the ledger.
        Err(_) => Vec::new(),
    }
}

fn of_free(free: u64) -> Finding {
    let detail = format!("{} MiB free", free / MIB);
    match free {
        free if free < FREE_TOO_FEW_BYTES => {
            Finding::fail(detail, "free disk space: on a full disk every callback gets a 503")
        }
        free if free < FREE_FEW_BYTES => {
            Finding::warn(detail, "free disk space, or start a new period")
        }
        _ => Finding::ok(detail),
    }
}

/// Checks how long the free space will last at the rate of the last week.
pub fn growth(context: &DoctorContext) -> Vec<Finding> {
    let (Some(database), Some(store), Some(head)) =
        (context.ledger(), context.store(), context.head())
    else {
        return Vec::new();
    };
    let (Ok(sizes), Ok(events_a_day)) =
        (inspect::sizes(database), events_a_day(store, head, context.now))
    else {
        return Vec::new();
    };
    let bytes_an_event = (sizes.log + sizes.views) as f64 / head as f64;
    vec![of_growth(events_a_day, bytes_an_event * events_a_day, sizes.disk_free)]
}

fn of_growth(events_a_day: f64, bytes_a_day: f64, disk_free: u64) -> Finding {
    let days = disk_free as f64 / bytes_a_day.max(1.0);
    let detail = format!(
        "{events_a_day:.0} events and {:.1} MiB a day; the disk will be full in {}",
        bytes_a_day / MIB as f64,
        in_words(days)
    );
    match days {
        days if days < DAYS_TOO_FEW => {
            Finding::fail(detail, "free disk space, or start a new period now")
        }
        days if days < DAYS_FEW => Finding::warn(detail, "free disk space, or plan a new period"),
        _ => Finding::ok(detail),
    }
}

/// The average over the last week. For a ledger younger than a day, the events so far count as those of
/// a day, because its first minutes say nothing about its later rate.
fn events_a_day(store: &dyn Store, head: Position, now: Timestamp) -> Result<f64, StoreError> {
    let received_at = |position: Position| {
        let events = store.read_at(&[position])?;
        Ok::<_, StoreError>(events.first().map_or(now, |event| event.received_at))
    };
    let since = now.micros() - (WINDOW_DAYS * DAY_MICROS) as i64;
    // A binary search, because times of arrival mostly rise with positions.
    let (mut before, mut from) = (0, head + 1);
    while from - before > 1 {
        let middle = before + (from - before) / 2;
        match received_at(middle)?.micros() < since {
            true => before = middle,
            false => from = middle,
        }
    }
    let events = (head + 1 - from) as f64;
    let age = if from > 1 {
        WINDOW_DAYS
    } else {
        (now.micros() - received_at(1)?.micros()) as f64 / DAY_MICROS
    };
    Ok(events / age.clamp(1.0, WINDOW_DAYS))
}

fn in_words(days: f64) -> String {
    match days {
        days if days > 3650.0 => "more than ten years".to_owned(),
        days if days > 730.0 => format!("{:.0} years", days / 365.0),
        days => format!("{days:.0} days"),
    }
}

/// Checks the sizes of the write-ahead logs of log and views.
pub fn wal(context: &DoctorContext) -> Vec<Finding> {
    let Some(database) = context.ledger() else { return Vec::new() };
    let Ok(sizes) = inspect::sizes(database) else { return Vec::new() };
    let detail =
        format!("log {:.1} MiB, views {:.1} MiB", mib(sizes.log_wal), mib(sizes.views_wal));
    vec![match sizes.log_wal.max(sizes.views_wal) > WAL_LARGE_BYTES {
        false => Finding::ok(detail),
        true => Finding::warn(
            detail,
            "a program keeps a transaction open, or, with wal_checkpoints = \"external\", nothing \
             checkpoints it: look for long-running readers, and check that Litestream is running",
        ),
    }]
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::{MIB, of_free, of_growth};

    #[test]
    fn a_disk_that_is_nearly_full_is_reported() {
        assert_eq!(of_free(200_000 * MIB).outcome, Outcome::Ok);
        assert_eq!(of_free(500 * MIB).outcome, Outcome::Warn);
        assert_eq!(of_free(0).outcome, Outcome::Fail);
    }

    #[test]
    fn the_remaining_space_is_reported_in_days() {
        let lasting = |mib_a_day: u64| of_growth(1e6, (mib_a_day * MIB) as f64, 10_000 * MIB);
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
