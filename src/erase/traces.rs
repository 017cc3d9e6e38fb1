//! Removes what is derived from erased events or lies next to the log: views, rejected requests, files of jobs,
//! write-ahead logs.

use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::EraseError;
use super::which::Which;
use crate::domain::digest::Digester;
use crate::domain::hash::Hash;
use crate::domain::{NewEvent, Position, Rule, Source};
use crate::projection::ProjectionError;
use crate::projection::replay::replay;
use crate::reconcile::{self, ReconcileError};
use crate::store::erase::CleanUp;
use crate::store::quarantine::QuarantinedRequest;
use crate::store::{Database, Store, StoreError, new_salt, open_quarantine};
use crate::twilio::event_sids::EventSids;

/// How long to wait for readers. Theirs are short; a program that reads for longer has to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time between two attempts.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Rejected requests that are read at a time.
const REQUESTS_MAX: usize = 100;

/// Removes the rejected requests that an erasure is about; returns how many.
pub fn purge_quarantine(
    log: &dyn Store,
    database: &Database,
    which: &Which,
) -> Result<u64, EraseError> {
    let Some(mut quarantine) = open_quarantine(database)? else { return Ok(0) };
    let (mut after, mut found) = (0, Vec::<Uuid>::new());
    loop {
        let page = quarantine.oldest(after, REQUESTS_MAX)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        let requests: Vec<_> = page.into_iter().map(|(_, request)| request).collect();
        match which {
            Which::Again => found.extend(of_erased_messages(log, &requests)?),
            _ => {
                let about = requests.iter().filter(|request| is_about(which, request));
                found.extend(about.map(|request| request.id));
            }
        }
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match quarantine.erase(&found) {
            Ok(_) => return Ok(found.len() as u64),
            Err(StoreError::Busy) if Instant::now() < deadline => sleep(BETWEEN_TRIES),
            Err(StoreError::Busy) => {
                return Err(EraseError::Blocked(
                    "another process is reading the quarantine; let it end, and run the command \
                     again",
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_about(which: &Which, request: &QuarantinedRequest) -> bool {
    let headers = request.headers.iter().map(|(_, value)| value);
    let cause = request.cause.as_deref().unwrap_or_default();
    let parts = [request.target.as_bytes(), &request.body, cause.as_bytes()];
    let mut parts = parts.into_iter().chain(headers);
    match which {
        Which::Address(address) => parts.any(|part| address.is_in_bytes(part)),
        Which::Message { message_sid, account_sid } => {
            let sid = message_sid.as_str().as_bytes();
            let is_named = parts.any(|part| part.windows(sid.len()).any(|window| window == sid));
            is_named
                && account_sid.as_ref().is_none_or(|wanted| {
                    let event = as_event(request);
                    let account = EventSids::parse(&event).account_sid;
                    account.as_deref().is_none_or(|account| account == wanted.as_str())
                })
        }
        Which::Before(time) => request.received_at < *time,
        Which::Again | Which::Events(_) => false,
    }
}

/// The ids of those requests that are of messages which were erased.
fn of_erased_messages(
    log: &dyn Store,
    requests: &[QuarantinedRequest],
) -> Result<Vec<Uuid>, StoreError> {
    let mut digester = Digester::default();
    let (mut ids, mut messages) = (Vec::new(), Vec::new());
    for request in requests {
        let event = as_event(request);
        let message = digester.message(EventSids::parse(&event).as_sids());
        if message != Hash::default() {
            ids.push(request.id);
            messages.push(message);
        }
    }
    let erased = log.erasing().erased_by(&messages)?;
    let erased = ids.into_iter().zip(erased).filter(|(_, erased_by)| erased_by.is_some());
    Ok(erased.map(|(id, _)| id).collect())
}

/// A request as an event, of which only the SIDs count.
fn as_event(request: &QuarantinedRequest) -> NewEvent {
    NewEvent {
        event_id: request.id,
        received_at: request.received_at,
        source: Source::Callback,
        method: String::new(),
        url: String::new(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        verified_by: None,
        notes: Default::default(),
        salt: new_salt(),
    }
}

/// Removes the sends that `reconcile` keeps, with their addresses; waits for a run to end.
pub fn forget_sends(log: &dyn Store) -> Result<(), EraseError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match reconcile::forget_sends(log) {
            Ok(()) => return Ok(()),
            Err(ReconcileError::AtWork) if Instant::now() < deadline => sleep(BETWEEN_TRIES),
            Err(ReconcileError::AtWork) => {
                return Err(EraseError::Blocked(
                    "a run of reconcile keeps sends with their addresses; let it end, and run the \
                     command again",
                ));
            }
            Err(ReconcileError::Store(error)) => return Err(error.into()),
            Err(error) => {
                let act = "forget the sends of reconcile".to_owned();
                return Err(StoreError::Engine { act, cause: Box::new(error) }.into());
            }
        }
    }
}

/// Removes what the engine still has outside its tables, and waits for readers. Returns where else the database's
/// server keeps it.
pub fn clean_up(log: &dyn Store) -> Result<Option<&'static str>, EraseError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match log.erasing().clean_up() {
            Ok(CleanUp::Done) => return Ok(None),
            Ok(CleanUp::ServerKeeps(what)) => return Ok(Some(what)),
            Ok(CleanUp::Blocked(_)) | Err(StoreError::Replaying { .. })
                if Instant::now() < deadline =>
            {
                sleep(BETWEEN_TRIES);
            }
            Ok(CleanUp::Blocked(why)) => return Err(EraseError::Blocked(why)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Rebuilds the views; waits for another rebuild, which may have begun before the erasure.
pub fn rebuild_views(
    views: &dyn Store,
    progress: &mut dyn FnMut(Position) -> ControlFlow<()>,
    rule: Rule,
) -> Result<(), EraseError> {
    loop {
        match replay(views, rule, progress) {
            Ok(_) => return Ok(()),
            Err(ProjectionError::Store(StoreError::Replaying { .. }))
                if progress(0).is_continue() =>
            {
                sleep(BETWEEN_TRIES);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
