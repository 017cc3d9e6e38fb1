//! Compares the messages of the views with those of a fresh fold, and everything that is counted of them.

use super::compare::side_by_side;
use super::findings::{FindingKind, Findings};
use super::{Pass, Step, VerifyProgress, logged_errors, rollups, silent_events};
use crate::domain::hash::Hash;
use crate::domain::{Position, Rule};
use crate::projection::ProjectionError;
use crate::projection::digest::pages_ahead::PAGE_MESSAGES;
use crate::projection::digest::{ProjectionDigest, digest};
use crate::store::{Store, StoreError, Views};

/// The result of a comparison.
pub struct Compared {
    /// The checkpoint of both sides.
    pub checkpoint: Position,
    /// The digest of the fold there; `None` if nothing was compared.
    pub digest: Option<Hash>,
}

/// Compares the views in use with a fresh fold by the same rule. `None` if the views cannot be read to the end.
pub fn compare(
    store: &dyn Store,
    fresh: &dyn Views,
    rule: Rule,
    lookups_are_checked: bool,
    findings: &mut Findings,
    progress: VerifyProgress<'_>,
) -> Result<Option<Compared>, ProjectionError> {
    let (in_use, so_far) = (store.views(), findings.found.len());
    let mut step = |position| progress(Step { pass: Pass::Views, position, findings: so_far });
    let (folded_to, mut hash) = (fresh.checkpoint()?.position, ProjectionDigest::new(rule));
    let compared = side_by_side(store, in_use, fresh, &mut step, &mut |in_use, fresh| {
        fresh.into_iter().for_each(|message| hash.add(message));
        if in_use != fresh {
            let sid = in_use.or(fresh).map_or("", |message| message.key.message_sid.as_str());
            let detail = format!("message {} is not what the log says of it", sid.escape_debug());
            findings.add(FindingKind::ProjectionDiffers, None, detail);
        }
    });
    let checkpoint = match compared {
        Err(ProjectionError::Store(error)) => match findings.of_views(Err(error))? {
            Some(checkpoint) => checkpoint,
            None => return Ok(None),
        },
        compared => compared?,
    };
    // Messages that were read before the views moved on are different ones now.
    let digest = if checkpoint == folded_to { hash.finish() } else { digest(fresh)? };
    rollups::compare(store, in_use, fresh, findings)?;
    logged_errors::compare(store, in_use, fresh, findings)?;
    silent_events::compare(in_use, fresh, findings)?;
    if !lookups_are_checked {
        let looked_up = check_lookup(in_use, fresh, findings);
        findings.of_views(looked_up)?;
    }
    Ok(Some(Compared { checkpoint, digest: Some(digest) }))
}

/// Checks that every message is found by its SID.
fn check_lookup(
    in_use: &dyn Views,
    fresh: &dyn Views,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let (_, messages) = fresh.page(after, PAGE_MESSAGES)?;
        let Some(last) = messages.last() else { return Ok(()) };
        after = last.id;
        let keys: Vec<_> = messages.iter().map(|message| &message.key).collect();
        for (message, found) in messages.iter().zip(in_use.load(&keys)?) {
            if found.map(|found| found.id) != Some(message.id) {
                let sid = message.key.message_sid.as_str().escape_debug().to_string();
                let detail = format!("message {sid} is not found by its SID");
                findings.add(FindingKind::ProjectionDiffers, None, detail);
            }
        }
    }
}
