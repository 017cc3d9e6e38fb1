//! Compares the errors that Twilio has logged, as the views count them, with those of a fresh fold.

use std::ops::ControlFlow;

use super::findings::{FindingKind, Findings};
use crate::projection::{ProjectionError, catch_up};
use crate::store::{Store, Views};

/// Compares the counts in use with those of a fresh fold, which is brought up to the same checkpoint.
pub fn compare(
    store: &dyn Store,
    in_use: &dyn Views,
    fresh: &dyn Views,
    findings: &mut Findings,
) -> Result<(), ProjectionError> {
    let Some((checkpoint, ours)) = findings.of_views(in_use.logged_errors())? else {
        return Ok(());
    };
    catch_up(store, fresh, checkpoint.position, &mut |_| ControlFlow::Continue(()))?;
    let (_, theirs) = fresh.logged_errors()?;
    if ours != theirs {
        let detail = "what doctor reports of Twilio's error log is not what the log says of it";
        findings.add(FindingKind::ProjectionDiffers, None, detail.to_owned());
    }
    Ok(())
}
