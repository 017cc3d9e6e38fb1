//! Compares the roll-ups of the views with those of a fresh fold.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::findings::{FindingKind, Findings};
use crate::domain::rollup::range::RollupRange;
use crate::domain::rollup::{Rollup, RollupKey, RollupLength};
use crate::projection::{ProjectionError, catch_up};
use crate::store::{Checkpoint, Store, StoreError, Views};

type Rollups = BTreeMap<RollupKey<'static>, Rollup>;

/// Compares the roll-ups in use with those of a fresh fold, which is brought up to the same checkpoint.
pub fn compare(
    store: &dyn Store,
    in_use: &dyn Views,
    fresh: &dyn Views,
    findings: &mut Findings,
) -> Result<(), ProjectionError> {
    let Some((checkpoint, mut ours)) = findings.of_views(read(in_use))? else { return Ok(()) };
    catch_up(store, fresh, checkpoint.position, &mut |_| ControlFlow::Continue(()))?;
    let (_, theirs) = read(fresh)?;
    for (key, rollup) in &theirs {
        if ours.remove(key).as_ref() != Some(rollup) {
            differs(key, findings);
        }
    }
    ours.keys().for_each(|key| differs(key, findings));
    Ok(())
}

fn read(views: &dyn Views) -> Result<(Checkpoint, Rollups), StoreError> {
    let mut rollups = Rollups::new();
    let all = [RollupLength::Hour, RollupLength::Day].map(RollupRange::all);
    let checkpoint = views.for_each_rollup(&all, &mut |key, rollup| {
        rollups.insert(key.into_owned(), rollup.clone());
    })?;
    Ok((checkpoint, rollups))
}

fn differs(key: &RollupKey<'_>, findings: &mut Findings) {
    let RollupKey { length, hour, channel, status, .. } = key;
    let length = match length {
        RollupLength::Hour => "hour",
        RollupLength::Day => "day",
    };
    let status = status.map_or("unknown", |status| status.name());
    let detail = format!(
        "what reports count of the {length} from {} (channel {}, status {status}) is not what the log \
         says of it",
        hour.start(),
        channel.escape_debug(),
    );
    findings.add(FindingKind::ProjectionDiffers, None, detail);
}
