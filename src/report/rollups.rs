//! Makes reports by adding up rollups.

use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::thread;

use super::figures::Rows;
use super::local_time::{LocalTime, LocalTimes};
use super::{Counted, Dimension, ReportQuery, RowKeysRef};
use crate::domain::rollup::range::RollupRange;
use crate::domain::rollup::{Hour, RollupLength};
use crate::domain::time::zone::Zone;
use crate::store::{StoreError, Views};

/// A shorter period takes some milliseconds, and is read on one thread.
const SHARED_HOURS_MIN: i64 = 14 * 24;

/// Adds up the rollups of a report; `None` if they do not suffice and messages have to be scanned.
pub fn count<const N: usize>(
    views: &dyn Views,
    query: &ReportQuery,
    by: &[Vec<Dimension>; N],
) -> Result<Option<Counted<N>>, StoreError> {
    let Some((first, last)) = query.rollup_hours(by.iter().flatten()) else { return Ok(None) };
    let longest = longest(query, by);
    let count = |hours| count_each(views, query, by, &RollupRange::covering(hours, longest));
    let Some([earlier, later]) = halves(views, first..=last)? else {
        return count(first..=last);
    };
    let (earlier, later) = thread::scope(|scope| {
        let earlier = scope.spawn(|| count(earlier));
        let later = count(later);
        (earlier.join().unwrap_or_else(|panic| resume_unwind(panic)), later)
    });
    let (Some((checkpoint, mut rows)), Some((at, others))) = (earlier?, later?) else {
        return Ok(None);
    };
    if checkpoint != at {
        // The views have read on between the two.
        return count(first..=last);
    }
    rows.iter_mut().zip(others).for_each(|(rows, others)| rows.merge(others));
    Ok(Some((checkpoint, rows)))
}

/// The longest rollups that suffice: those of days in UTC do unless a report is by hours, or by local times.
fn longest<const N: usize>(query: &ReportQuery, by: &[Vec<Dimension>; N]) -> RollupLength {
    let of_hours = |by: &Dimension| {
        matches!(by, Dimension::Hour | Dimension::HourOfDay)
            || by.is_time() && query.zone != Zone::default()
    };
    if by.iter().flatten().any(of_hours) { RollupLength::Hour } else { RollupLength::Day }
}

/// Two parts of a long period with about as many rollups.
fn halves(
    views: &dyn Views,
    hours: RangeInclusive<Hour>,
) -> Result<Option<[RangeInclusive<Hour>; 2]>, StoreError> {
    let Some((first, last)) = views.rollup_hours()? else { return Ok(None) };
    let (Hour(first), Hour(last)) = (first.max(*hours.start()), last.min(*hours.end()));
    let length = last.saturating_sub(first);
    Ok((length >= SHARED_HOURS_MIN).then(|| {
        let Hour(middle) = Hour(first + length / 2).day();
        [*hours.start()..=Hour(middle - 1), Hour(middle)..=*hours.end()]
    }))
}

fn count_each<const N: usize>(
    views: &dyn Views,
    query: &ReportQuery,
    by: &[Vec<Dimension>; N],
    ranges: &[RollupRange],
) -> Result<Option<Counted<N>>, StoreError> {
    let mut suffices = true;
    let mut rows = by.each_ref().map(|_| Rows::default());
    let needs_times = by.iter().flatten().any(Dimension::is_time);
    let mut times = LocalTimes::new(&query.zone);
    let checkpoint = views.for_each_rollup(ranges, &mut |key, rollup| {
        if !suffices || !query.matches(&key) {
            return;
        }
        let local = if needs_times { times.of_hour(key.hour) } else { Some(LocalTime::default()) };
        let Some(local) = local else {
            suffices = false;
            return;
        };
        for (rows, by) in rows.iter_mut().zip(by) {
            let value = |by: &Dimension| by.key(&key, None, local, &query.error_codes);
            let keys = by.iter().map(value).collect();
            rows.row(&RowKeysRef(keys)).add_rollup(&key, rollup);
        }
    })?;
    Ok(suffices.then_some((checkpoint, rows)))
}
