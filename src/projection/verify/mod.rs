//! Verification: whether the log is unchanged since it was projected, and the views match it.

pub mod background;
pub mod compare;
mod erasures;
mod expected;
mod findings;
mod log;
mod logged_errors;
mod rollups;
mod roots;
mod silent_events;
pub mod tree;
mod walk;

use std::ops::ControlFlow;

use crate::domain::hash::Hash;
use crate::domain::{Position, Rule};
use crate::projection::ProjectionError;
use crate::projection::compatibility::ViewsState;
use crate::projection::digest::{PAGE_MESSAGES, digest};
use crate::projection::erased::ErasureState;
use crate::store::{Store, StoreError, Views};

use self::compare::side_by_side;
pub use self::expected::{EXPECTED, Expected};
use self::findings::Findings;
pub use self::findings::{Finding, FindingKind};
pub use self::log::{LogVerified, verify_log};
use self::roots::Roots;
use self::walk::Walk;

/// What [`Verified::unfinished`] contains if the views were not compared, because messages were being erased.
pub const COMPARISON: &str = "comparison";

/// How many events are read between two reports of progress.
const PAGE_EVENTS: u64 = 4096;

/// The progress of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The current pass.
    pub pass: Pass,
    /// The last position that this pass has read.
    pub position: Position,
    /// The findings so far.
    pub findings: usize,
}

/// One of the two passes over the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Reads every event for the tree.
    Log,
    /// Folds every event again, and compares the result with the views.
    Views,
}

/// Called after each step; may stop the verification there.
pub type VerifyProgress<'a> = &'a mut dyn FnMut(Step) -> ControlFlow<()>;

/// The result of a verification.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The last position of the log at the start.
    pub head: Position,
    /// The root of the tree at the head; `None` if the log has gaps or unreadable events.
    pub hash: Option<Hash>,
    /// The last position that the views had read.
    pub checkpoint: Position,
    /// How many events were read.
    pub events: u64,
    /// How many of them were imported.
    pub imported: u64,
    /// The rule of the views.
    pub rule: Rule,
    /// The digest of a fresh fold at the checkpoint; `None` if the log could not be folded.
    pub digest: Option<Hash>,
    /// What is wrong; empty if nothing is.
    pub findings: Vec<Finding>,
    /// The files, `log` or `views`, whose engine check was given up because they were written too fast.
    /// Everything else was still checked.
    pub unfinished: Vec<&'static str>,
}

/// Verifies a ledger: reads the whole log once for its tree and again for a fresh fold. It repairs nothing.
///
/// # Errors
///
/// [`ProjectionError::Stopped`] if `progress` has stopped it.
pub fn verify(
    store: &dyn Store,
    expected: Option<Expected>,
    progress: VerifyProgress<'_>,
) -> Result<Verified, ProjectionError> {
    verify_with_seals(store, expected, Vec::new(), progress)
}

/// As [`verify`], and compares the log with seals that a file has.
///
/// # Errors
///
/// [`ProjectionError::Stopped`] if `progress` has stopped it.
pub fn verify_with_seals(
    store: &dyn Store,
    expected: Option<Expected>,
    in_file: Vec<Expected>,
    progress: VerifyProgress<'_>,
) -> Result<Verified, ProjectionError> {
    let views = store.views();
    let mut findings = Findings::default();
    let log_is_sound = findings.checked(store.check()?, "log");
    let views_are_sound = findings.checked(views.check()?, "views");
    let checkpoint = match views_are_sound {
        true => findings.of_views(views.checkpoint())?,
        false => None,
    };
    let fits = checkpoint.as_ref().is_some_and(|checkpoint| {
        findings.check_state(&ViewsState::new(store, checkpoint, checkpoint.rule))
    });
    let comparable = checkpoint.as_ref().filter(|_| fits);
    if let Some(checkpoint) = comparable {
        let checked = tree::check_nodes(views, checkpoint, &mut findings);
        findings.of_views(checked)?;
    }
    let roots = Roots::new(store, expected, in_file, Position::MAX, &mut findings)?;
    let mut walk = Walk::new(comparable, roots, PAGE_EVENTS, &mut findings);
    let mut in_log = |position, findings: &Findings| {
        progress(Step { pass: Pass::Log, position, findings: findings.found.len() })
    };
    match store.head().and_then(|head| walk.through(store, head, &mut findings, &mut in_log)) {
        Err(StoreError::Cancelled) => return Err(ProjectionError::Stopped),
        // Damaged pages end the walk; they were reported above.
        Err(StoreError::Engine { .. }) if !log_is_sound => walk.forget_tree(),
        Err(error @ StoreError::Engine { .. }) if findings.unfinished.contains(&"log") => {
            findings.add(FindingKind::EngineDamage, None, format!("log: {error}"));
            walk.forget_tree();
        }
        walked => walked?,
    }
    let rule = checkpoint.as_ref().map_or(Rule::default(), |checkpoint| checkpoint.rule);
    let mut checkpoint = checkpoint.map_or(0, |checkpoint| checkpoint.position);
    let mut digest = None;
    if fits && walk.root().is_some() {
        let compared = compare_unless_erasing(store, rule, &mut findings, progress)?;
        (checkpoint, digest) = compared.map_or((checkpoint, None), |(at, hash)| (at, Some(hash)));
        // Alongside a server, the views may have read beyond the earlier head.
        let mut rest = |_, _: &Findings| ControlFlow::Continue(());
        walk.through(store, checkpoint, &mut findings, &mut rest)?;
    }
    walk.finish(&mut findings);
    Ok(Verified {
        head: walk.head,
        hash: walk.root(),
        checkpoint,
        events: walk.events,
        imported: walk.imported,
        rule,
        digest,
        findings: findings.found,
        unfinished: findings.unfinished,
    })
}

/// Compares the views with a fresh fold. While messages are being erased, the views still have what the log has no
/// more, so that what differs is no finding.
fn compare_unless_erasing(
    store: &dyn Store,
    rule: Rule,
    findings: &mut Findings,
    progress: VerifyProgress<'_>,
) -> Result<Option<(Position, Hash)>, ProjectionError> {
    let is_unfinished = || ErasureState::read(store).is_ok_and(|state| state.unfinished);
    let erased = || store.erasing().erased_count().unwrap_or_default();
    let (found, was_unfinished, erased_before) = (findings.found.len(), is_unfinished(), erased());
    let compared = compare_projection(store, rule, findings, progress)?;
    if was_unfinished || is_unfinished() || erased() != erased_before {
        findings.found.truncate(found);
        findings.unfinished.push(COMPARISON);
    }
    Ok(compared)
}

/// Compares the views with a fresh fold. Returns the checkpoint of the comparison and the fold's digest;
/// `None` if the views cannot be read to the end.
fn compare_projection(
    store: &dyn Store,
    rule: Rule,
    findings: &mut Findings,
    progress: VerifyProgress<'_>,
) -> Result<Option<(Position, Hash)>, ProjectionError> {
    let fresh = store.temporary_views(rule)?;
    let so_far = findings.found.len();
    let mut folded = |position| progress(Step { pass: Pass::Views, position, findings: so_far });
    let compared =
        side_by_side(store, store.views(), &*fresh, &mut folded, &mut |in_use, fresh| {
            if in_use != fresh {
                let sid = in_use.or(fresh).map_or("", |message| message.key.message_sid.as_str());
                findings.add(
                    FindingKind::ProjectionDiffers,
                    None,
                    format!("message {} is not what the log says of it", sid.escape_debug()),
                );
            }
        });
    let compared = match compared {
        Err(ProjectionError::Store(error)) => findings.of_views(Err(error))?,
        compared => Some(compared?),
    };
    let Some(checkpoint) = compared else { return Ok(None) };
    rollups::compare(store, store.views(), &*fresh, findings)?;
    logged_errors::compare(store, store.views(), &*fresh, findings)?;
    silent_events::compare(store.views(), &*fresh, findings)?;
    let looked_up = check_lookup(store.views(), &*fresh, findings);
    findings.of_views(looked_up)?;
    Ok(Some((checkpoint, digest(&*fresh)?)))
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
