//! Erasing: removes the content of messages from the log, and every trace of it from the files next to it.
//!
//! Each transaction appends an event that names what it erased. It works next to a running server, and can be
//! repeated after a kill at any step.

mod address;
mod commit;
mod record;
mod refuse;
mod select;
mod traces;
mod which;

use std::io;
use std::ops::ControlFlow;

pub use self::address::{Address, has_international_number};
pub use self::commit::Erasure;
pub use self::record::{ErasureRecord, RecordedErasure, record_of};
pub use self::refuse::{Consent, Refusal, YOUNG};
pub use self::select::{Selection, select};
pub use self::which::Which;
use crate::domain::{Position, Rule, Timestamp};
use crate::jobs;
use crate::projection::ProjectionError;
use crate::projection::erased::ErasureState;
use crate::store::{Database, Store, StoreError, Task};

/// Why an erasure has not finished.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum EraseError {
    #[error(transparent)]
    Store(#[from] StoreError),

    #[error(transparent)]
    Projection(#[from] ProjectionError),

    #[error(transparent)]
    Refused(#[from] Refusal),

    #[error("the files of jobs cannot be removed")]
    Jobs(#[source] io::Error),

    #[error("another process is erasing; wait until it has finished")]
    AtWork,

    #[error("{0}")]
    Blocked(&'static str),

    #[error(
        "stopped before the end; run the command again, or what was erased stays in views and other files"
    )]
    Stopped,
}

/// An open ledger, to be erased from.
pub struct Ledger<'l> {
    /// Where it is.
    pub database: &'l Database,
    /// Its store, which can append.
    pub log: &'l dyn Store,
    /// Its store, which can rebuild the views.
    pub views: &'l dyn Store,
    /// The rule of the views.
    pub rule: Rule,
}

/// A request to erase.
pub struct Request<'r> {
    /// What.
    pub which: &'r Which,
    /// Its reference, which is stored in the log.
    pub reference: &'r str,
    /// What was asked for once more.
    pub consent: Consent,
    /// The time.
    pub now: &'r dyn Fn() -> Timestamp,
}

/// A step that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A page of the log was read.
    Read,
    /// A transaction has erased events.
    Erased(Erasure),
    /// The quarantine has no such requests any more.
    QuarantinePurged,
    /// The files of jobs are removed.
    JobsRemoved,
    /// `reconcile` has no sends with their addresses any more.
    SendsForgotten,
    /// The views were rebuilt up to a position.
    Rebuilding(Position),
    /// The rebuilt views are in use.
    ViewsRebuilt,
}

/// Called after each step; may stop there.
pub type Observe<'a> = &'a mut dyn FnMut(Step) -> ControlFlow<()>;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erased {
    /// Each transaction.
    pub erasures: Vec<Erasure>,
    /// The number of rejected requests that were removed.
    pub requests: u64,
    /// The number of files of jobs that were removed.
    pub files: u64,
    /// Where the database's server keeps what was erased.
    pub server_keeps: Option<&'static str>,
    /// The first events of other messages that mention the address.
    pub mentions: Vec<Position>,
    /// The number of all such events.
    pub mentions_count: u64,
}

/// Finds what a request would erase, at most some hundred thousand messages of it.
pub fn preview(
    log: &dyn Store,
    request: &Request<'_>,
    observe: Observe<'_>,
) -> Result<Selection, EraseError> {
    let selection = select(log, request.which, 0, log.head()?, &mut || observe(Step::Read))?;
    refuse::refuse(log, &selection, request)?;
    Ok(selection)
}

/// Erases, and removes every trace. If it fails or is stopped it can be repeated; it then finishes what is left.
pub fn erase(
    ledger: &Ledger<'_>,
    request: &Request<'_>,
    observe: Observe<'_>,
) -> Result<Erased, EraseError> {
    let log = ledger.log;
    log.erasing().check_may_erase()?;
    let _alone = log.begin(Task::Erase)?.ok_or(EraseError::AtWork)?;
    let mut erased = Erased::default();
    let mut looked_at = 0;
    // What arrives meanwhile is erased, too.
    while looked_at < log.head()? {
        let selection =
            select(log, request.which, looked_at, log.head()?, &mut || observe(Step::Read))?;
        if erased.erasures.is_empty() {
            refuse::refuse(log, &selection, request)?;
        }
        if !selection.groups.is_empty() {
            let mut state = ErasureState::read(log)?;
            state.unfinished = true;
            state.accounts.extend(selection.accounts.iter().cloned());
            state.write(log)?;
        }
        commit::commit(log, &selection, request.reference, request.now, &mut |erasure| {
            erased.erasures.push(erasure.clone());
            observe(Step::Erased(erasure))
        })?;
        looked_at = match selection.looked_at == selection.up_to && selection.groups.is_empty() {
            true => log.head()?,
            false => selection.looked_at,
        };
        // The last selection has read everything after it was erased.
        (erased.mentions, erased.mentions_count) = (selection.mentions, selection.mentions_count);
    }
    remove_traces(ledger, request.which, &mut erased, observe)?;
    Ok(erased)
}

fn remove_traces(
    ledger: &Ledger<'_>,
    which: &Which,
    erased: &mut Erased,
    observe: Observe<'_>,
) -> Result<(), EraseError> {
    let mut go_on = |step| match observe(step) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(EraseError::Stopped),
    };
    let remove_files =
        || jobs::remove_files(ledger.database, ledger.log.ledger_id()).map_err(EraseError::Jobs);
    erased.requests = traces::purge_quarantine(ledger.log, ledger.database, which)?;
    go_on(Step::QuarantinePurged)?;
    let unfinished = ErasureState::read(ledger.log)?.unfinished;
    // The record of a job may have an address, as a filter, that no message has.
    if unfinished || matches!(which, Which::Address(_)) {
        erased.files = remove_files()?;
        go_on(Step::JobsRemoved)?;
    }
    if unfinished {
        traces::forget_sends(ledger.log)?;
        go_on(Step::SendsForgotten)?;
        let mut progress = |position| match go_on(Step::Rebuilding(position)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        traces::rebuild_views(ledger.views, &mut progress, ledger.rule)?;
        go_on(Step::ViewsRebuilt)?;
        // An export that has begun meanwhile reads the views from before.
        erased.files += remove_files()?;
    }
    erased.server_keeps = traces::clean_up(ledger.log)?;
    if ErasureState::read(ledger.log)?.unfinished {
        let state = ErasureState::read(ledger.log)?;
        ErasureState { unfinished: false, ..state }.write(ledger.log)?;
    }
    Ok(())
}
