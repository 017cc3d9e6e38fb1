//! Whether the cells of the views say what the log says.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use super::findings::{FindingKind, Findings};
use crate::domain::rollup::{Hour, Rollup, RollupKey};
use crate::projection::{ProjectionError, catch_up};
use crate::store::{Checkpoint, Store, StoreError, Views};

const ALL_HOURS: RangeInclusive<Hour> = Hour(i64::MIN)..=Hour(i64::MAX);

type Cells = BTreeMap<RollupKey<'static>, Rollup>;

/// Holds the cells in use against those of a fresh fold, which is brought up to wherever the views
/// in use have got.
pub fn compare(
    store: &dyn Store,
    in_use: &dyn Views,
    fresh: &dyn Views,
    findings: &mut Findings,
) -> Result<(), ProjectionError> {
    let Some((checkpoint, mut ours)) = findings.of_views(read(in_use))? else { return Ok(()) };
    catch_up(store, fresh, checkpoint.position, &mut |_| ControlFlow::Continue(()))?;
    let (_, theirs) = read(fresh)?;
    for (cell, tally) in &theirs {
        if ours.remove(cell).as_ref() != Some(tally) {
            differs(cell, findings);
        }
    }
    ours.keys().for_each(|cell| differs(cell, findings));
    Ok(())
}

fn read(views: &dyn Views) -> Result<(Checkpoint, Cells), StoreError> {
    let mut cells = Cells::new();
    let checkpoint = views.for_each_rollup(ALL_HOURS, &mut |cell, tally| {
        cells.insert(cell.into_owned(), tally.clone());
    })?;
    Ok((checkpoint, cells))
}

fn differs(cell: &RollupKey<'_>, findings: &mut Findings) {
    let RollupKey { hour, channel, status, .. } = cell;
    let status = status.map_or("unknown", |status| status.name());
    let detail = format!(
        "what reports count of the hour from {} (channel {}, status {status}) is not what the log \
         says of it",
        hour.begins(),
        channel.escape_debug(),
    );
    findings.add(FindingKind::ProjectionDiffers, None, detail);
}
