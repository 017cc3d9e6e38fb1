//! Verifies the log alone, in small steps, so that the caller can pause between them.

use super::findings::{Finding, Findings};
use super::roots::Roots;
use super::walk::Walk;
use crate::domain::Position;
use crate::domain::hash::Hash;
use crate::projection::ProjectionError;
use crate::projection::catch_up::Progress;
use crate::projection::compatibility::ViewsState;
use crate::store::{Checked, Store, StoreError};

/// How many events are read at a time: about a millisecond's work.
const PAGE_EVENTS: u64 = 512;

/// The result of a verification of the log alone.
#[derive(Debug, Clone)]
pub struct LogVerified {
    /// The last position that was requested.
    pub head: Position,
    /// The root of the tree there; `None` if the log has gaps or unreadable events.
    pub hash: Option<Hash>,
    /// How many events were read.
    pub events: u64,
    /// What is wrong with the log.
    pub findings: Vec<Finding>,
}

/// Verifies the log up to a position: that its guards exist, it has no gaps, and its events are readable and
/// those that the views have read. It runs no page check and no fresh fold, as [`verify`](super::verify)
/// does.
pub fn verify_log(
    store: &dyn Store,
    up_to: Position,
    progress: Progress<'_>,
) -> Result<LogVerified, ProjectionError> {
    let mut findings = Findings::default();
    let guards = Checked { damages: store.check_guards()?, finished: true };
    findings.checked(guards, "log");
    let checkpoint = findings.of_views(store.views().checkpoint())?;
    let fitting = checkpoint.filter(|checkpoint| {
        findings.check_state(&ViewsState::new(store, checkpoint, checkpoint.rule))
    });
    // What is sealed later is beyond the position up to which the log is read.
    let roots = Roots::new(store, None, Vec::new(), up_to, &mut findings)?;
    let mut walk = Walk::new(fitting.as_ref(), roots, PAGE_EVENTS, &mut findings);
    match walk.through(store, up_to, &mut findings, &mut |position, _| progress(position)) {
        Err(StoreError::Cancelled) => return Err(ProjectionError::Stopped),
        walked => walked?,
    }
    if walk.at < up_to {
        walk.pass_gap(up_to + 1, &mut findings);
    }
    walk.finish(&mut findings);
    findings.append(walk.take_differing());
    let (hash, events) = (walk.root(), walk.events);
    Ok(LogVerified { head: up_to, hash, events, findings: findings.found })
}
