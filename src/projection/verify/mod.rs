//! Verification: whether the log is unchanged since it was projected, and the views match it.

pub mod background;
pub mod compare;
mod erasures;
mod expected;
mod findings;
mod log;
mod logged_errors;
mod messages;
mod rollups;
mod roots;
mod silent_events;
mod steps;
pub mod tree;
mod walk;

use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::thread;

use crate::domain::hash::Hash;
use crate::domain::{Position, Rule};
use crate::projection::ProjectionError;
use crate::store::Store;

pub use self::expected::{EXPECTED, Expected};
pub use self::findings::{Finding, FindingKind};
pub use self::log::{LogVerified, verify_log};
use self::steps::{EngineChecks, Verifying};

/// What [`Verified::unfinished`] contains if the views were not compared, because messages were being erased.
pub const COMPARISON: &str = "comparison";

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

/// One of the two passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Reads every event of the log, for the tree and for a fresh fold.
    Log,
    /// Compares the fresh fold with the views.
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

/// Verifies a ledger: reads the whole log for its tree and a fresh fold, and compares that with the views. It repairs
/// nothing.
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
    thread::scope(|scope| {
        // The engine reads every page beside the pass over the log.
        let engine = scope.spawn(|| EngineChecks::run(store));
        let mut verifying = Verifying::begin(store, expected, in_file)?;
        let read = verifying.read_log(progress);
        let engine = engine.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        verifying.finish(engine, read, progress)
    })
}
