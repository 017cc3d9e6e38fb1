//! The recheck: checks rejected requests again, and appends those that the listener would accept now.
//!
//! The event gets the request's id. A request is marked with the log's head before the append, and
//! removed after it. If a recheck is interrupted, the next one finds the marked requests and searches
//! the log after that position for their ids.

use std::collections::HashSet;
use std::ops::ControlFlow;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{ListenerSettings, verified};
use crate::domain::{NewEvent, Position, Timestamp};
use crate::store::quarantine::{Quarantine, QuarantinedRequest};
use crate::store::{Store, StoreError, append_when_free, for_each_event};

/// The number of requests that are checked at a time, and usually appended in one commit.
const STEP_REQUESTS: usize = 500;

/// The number of events from which those of a step are appended in several commits.
const COMMIT_EVENTS: usize = 1000;

/// The counts of a recheck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rechecked {
    /// Requests that were checked.
    pub requests: u64,
    /// Requests that are now in the log.
    pub appended: u64,
    /// Requests that an earlier, interrupted recheck had already appended.
    pub already_there: u64,
    /// Requests that the listener would still reject.
    pub refused: u64,
}

/// Appends the requests that are valid now, in the order of arrival, and removes them from the
/// quarantine.
pub fn recheck(
    quarantine: &mut dyn Quarantine,
    store: &dyn Store,
    listener: &ListenerSettings<'_>,
    progress: &mut dyn FnMut(&Rechecked),
) -> Result<Rechecked, StoreError> {
    let mut rechecked = finish_interrupted(quarantine, store)?;
    let mut after = 0;
    loop {
        let page = quarantine.oldest(after, STEP_REQUESTS)?;
        let Some((last, _)) = page.last() else { return Ok(rechecked) };
        after = *last;
        let checked = page.len() as u64;
        let valid = valid(&page, listener);
        for requests in in_commits(&valid) {
            append(quarantine, store, requests)?;
        }
        rechecked.requests += checked;
        rechecked.appended += valid.len() as u64;
        rechecked.refused += checked - valid.len() as u64;
        progress(&rechecked);
    }
}

/// The counts that [`recheck`] would return, without changing anything.
pub fn recheck_dry_run(
    quarantine: &dyn Quarantine,
    store: &dyn Store,
    listener: &ListenerSettings<'_>,
) -> Result<Rechecked, StoreError> {
    let there = already_there(quarantine, store)?;
    let mut rechecked = Rechecked::default();
    let mut after = 0;
    loop {
        let page = quarantine.oldest(after, STEP_REQUESTS)?;
        let Some((last, _)) = page.last() else { return Ok(rechecked) };
        after = *last;
        for (_, request) in &page {
            rechecked.requests += 1;
            match verified(request, listener) {
                _ if there.contains(&request.id) => rechecked.already_there += 1,
                Some(_) => rechecked.appended += 1,
                None => rechecked.refused += 1,
            }
        }
    }
}

/// The valid requests, each as its events, the first of which has the request's id.
fn valid(
    page: &[(u64, QuarantinedRequest)],
    listener: &ListenerSettings<'_>,
) -> Vec<Vec<NewEvent>> {
    let rechecked_at = Timestamp::from(OffsetDateTime::now_utc()).to_string();
    let valid = page.iter().filter_map(|(_, request)| {
        let mut events = verified(request, listener)?;
        for event in &mut events {
            event.notes.insert("quarantine".to_owned(), request.reason.clone());
            event.notes.insert("rechecked_at".to_owned(), rechecked_at.clone());
        }
        Some(events)
    });
    valid.collect()
}

/// Divides requests into those of one commit each. A request is never divided, and may have thousands of events.
fn in_commits(requests: &[Vec<NewEvent>]) -> impl Iterator<Item = &[Vec<NewEvent>]> {
    let mut events = 0;
    requests.chunk_by(move |request, _next| {
        events += request.len();
        let has_room = events < COMMIT_EVENTS;
        if !has_room {
            events = 0;
        }
        has_room
    })
}

fn append(
    quarantine: &mut dyn Quarantine,
    store: &dyn Store,
    requests: &[Vec<NewEvent>],
) -> Result<(), StoreError> {
    let first = |events: &Vec<NewEvent>| events.first().map(|event| event.event_id);
    let ids: Vec<_> = requests.iter().filter_map(first).collect();
    let events = requests.concat();
    quarantine.mark(&ids, store.head()?)?;
    append_when_free(store, &events)?;
    quarantine.remove(&ids)?;
    Ok(())
}

/// Removes the requests that an interrupted recheck had already appended.
fn finish_interrupted(
    quarantine: &mut dyn Quarantine,
    store: &dyn Store,
) -> Result<Rechecked, StoreError> {
    let there: Vec<_> = already_there(quarantine, store)?.into_iter().collect();
    let removed = quarantine.remove(&there)?;
    Ok(Rechecked { requests: removed, already_there: removed, ..Rechecked::default() })
}

/// The marked requests whose events are in the log.
fn already_there(
    quarantine: &dyn Quarantine,
    store: &dyn Store,
) -> Result<HashSet<Uuid>, StoreError> {
    let Some((marked, first)) = marked(quarantine)? else { return Ok(HashSet::new()) };
    let mut there = HashSet::new();
    for_each_event(store, first + 1..=store.head()?, &mut |event| {
        if marked.contains(&event.event_id) {
            there.insert(event.event_id);
        }
        ControlFlow::Continue(())
    })?;
    Ok(there)
}

/// Every marked request, and the position after which their events begin.
fn marked(quarantine: &dyn Quarantine) -> Result<Option<(HashSet<Uuid>, Position)>, StoreError> {
    let marked = quarantine.marked()?;
    let first = marked.iter().map(|(_, after)| *after).min();
    Ok(first.map(|first| (marked.into_iter().map(|(id, _)| id).collect(), first)))
}
