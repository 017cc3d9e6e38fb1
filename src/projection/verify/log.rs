//! The log alone, bit by bit: whoever walks it may pause as often and as long as need be.

use std::collections::BTreeMap;

use super::{Finding, Findings, Walk, marks};
use crate::domain::Position;
use crate::domain::digest::Hash;
use crate::projection::ProjectionError;
use crate::projection::catch_up::Progress;
use crate::projection::compatibility::ViewsState;
use crate::store::{Checked, Store, StoreError};

/// How many events are read at a time: about a millisecond's work.
const PAGE_EVENTS: u64 = 512;

/// What a verification of the log alone saw.
#[derive(Debug, Clone)]
pub struct LogVerified {
    /// The last position that was asked for.
    pub head: Position,
    /// The chain's value there; nothing where the log has gaps or cannot be read throughout.
    pub hash: Option<Hash>,
    /// How many events were read.
    pub events: u64,
    pub findings: Vec<Finding>,
}

/// Reads the log up to a position: that its guards are in place, its positions have no gaps, its
/// events can be read and are those that the views have read. It neither looks at every page, as
/// the engine's own check does, nor folds anything anew, as [`verify`](super::verify) does.
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
        findings.alignment(&ViewsState::of(store, checkpoint, checkpoint.rule))
    });
    let marks = match &fitting {
        Some(checkpoint) => findings.of_views(marks(store, checkpoint))?.unwrap_or_default(),
        None => BTreeMap::new(),
    };
    let mut walk = Walk::new(marks, None, PAGE_EVENTS);
    match walk.through(store, up_to, &mut findings, progress) {
        Err(StoreError::Cancelled) => return Err(ProjectionError::Stopped),
        walked => walked?,
    }
    if walk.at < up_to {
        walk.pass_gap(up_to + 1, &mut findings);
    }
    let Walk { chain, events, .. } = walk;
    Ok(LogVerified { head: up_to, hash: chain, events, findings: findings.found })
}
