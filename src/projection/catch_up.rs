//! Reading on from a checkpoint: events in, messages out, batch by batch.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::ControlFlow;

use super::ProjectionError;
use crate::domain::digest::{self, Hash};
use crate::domain::lifecycle::Arrival;
use crate::domain::{Lifecycle, MessageKey, Position, RecordedEvent, StatusReported};
use crate::store::{
    Batch, CHAIN_MARK_EVERY, Changed, Checkpoint, Message, Store, StoreError, Views,
};
use crate::twilio::callback::Reading;

/// How many events one batch takes: enough to write each page of the views once for many of them.
pub const BATCH_EVENTS_MAX: usize = 4096;

/// Called with the new checkpoint's position after each batch; may end the reading there.
pub type Progress<'a> = &'a mut dyn FnMut(Position) -> ControlFlow<()>;

/// Brings views up to a position of the log and returns their checkpoint.
///
/// It stops at the first event that cannot be read: views never skip one.
pub fn catch_up(
    store: &dyn Store,
    views: &dyn Views,
    up_to: Position,
    progress: Progress<'_>,
) -> Result<Checkpoint, ProjectionError> {
    let mut checkpoint = views.checkpoint()?;
    while checkpoint.position < up_to {
        match step(store, views, &checkpoint, up_to) {
            Ok(next) => checkpoint = next,
            Err(ProjectionError::Store(StoreError::CheckpointMoved)) => {
                checkpoint = views.checkpoint()?;
            }
            Err(error) => return Err(error),
        }
        if progress(checkpoint.position).is_break() {
            return Err(ProjectionError::Stopped);
        }
    }
    Ok(checkpoint)
}

fn step(
    store: &dyn Store,
    views: &dyn Views,
    from: &Checkpoint,
    up_to: Position,
) -> Result<Checkpoint, ProjectionError> {
    let events = next_events(store, from, up_to)?;
    let readings: Vec<Reading> = events.iter().map(|event| Reading::of(event)).collect();
    let chained = chain(from.chain, &events);
    let last = events.last().ok_or(ProjectionError::Gap(from.position + 1))?;
    let batch = Batch {
        from: from.position,
        to: Checkpoint {
            position: last.position,
            event_id: Some(last.event_id),
            chain: chained.end,
            ..from.clone()
        },
        messages: fold(store, views, from, &events, &readings, &chained.fingerprints)?,
        chain_marks: chained.marks,
    };
    views.project(&batch)?;
    Ok(batch.to)
}

/// The events after the checkpoint, once it is sure that they follow on what was read before.
fn next_events(
    store: &dyn Store,
    from: &Checkpoint,
    up_to: Position,
) -> Result<Vec<RecordedEvent>, ProjectionError> {
    let seen = u64::from(from.position > 0);
    let wanted = (up_to - from.position).min(BATCH_EVENTS_MAX as u64) + seen;
    let mut events = store.read(from.position - seen, wanted as usize)?;
    if seen == 1 {
        let checkpointed = events.first().map(|event| (event.position, Some(event.event_id)));
        if checkpointed != Some((from.position, from.event_id)) {
            return Err(ProjectionError::OtherHistory(from.position));
        }
        events.remove(0);
    }
    match events.iter().zip(from.position + 1..).find(|(event, due)| event.position != *due) {
        Some((_, due)) => Err(ProjectionError::Gap(due)),
        None => Ok(events),
    }
}

/// What chaining the digests of some events gives.
struct Chained {
    end: Hash,
    marks: Vec<(Position, Hash)>,
    fingerprints: Vec<u64>,
}

fn chain(start: Hash, events: &[RecordedEvent]) -> Chained {
    let mut chained = Chained { end: start, marks: Vec::new(), fingerprints: Vec::new() };
    for event in events {
        let hashes = digest::digest(event);
        chained.end = digest::chain(&chained.end, &hashes.digest);
        chained.fingerprints.push(digest::fingerprint(event, &hashes.body));
        if event.position % CHAIN_MARK_EVERY == 0 {
            chained.marks.push((event.position, chained.end));
        }
    }
    chained
}

/// The messages that the events touch, as they stand afterwards; new ones in order of arrival.
fn fold(
    store: &dyn Store,
    views: &dyn Views,
    from: &Checkpoint,
    events: &[RecordedEvent],
    readings: &[Reading],
    fingerprints: &[u64],
) -> Result<Vec<Changed>, ProjectionError> {
    let arrivals: Vec<_> = (events.iter().zip(readings).zip(fingerprints))
        .filter_map(|((event, reading), fingerprint)| {
            let reported = reading.reported.as_ref()?;
            Some((reading.message_key()?, arrival(event, *fingerprint, reported)))
        })
        .collect();
    let mut messages = touched(views, from, &arrivals)?;
    let places: HashMap<MessageKey, usize> =
        messages.iter().map(|changed| changed.message.key.clone()).zip(0..).collect();
    let mut by_content = |a, b| compare_content(store, events, a, b);
    for (key, arrival) in &arrivals {
        messages[places[key]].message.lifecycle.apply(arrival, &mut by_content)?;
    }
    Ok(messages)
}

fn arrival<'a>(
    event: &RecordedEvent,
    fingerprint: u64,
    reported: &'a StatusReported,
) -> Arrival<'a> {
    let RecordedEvent { position, event } = event;
    Arrival { position: *position, received_at: event.received_at, fingerprint, reported }
}

/// Every message that is touched, as it stood before.
fn touched(
    views: &dyn Views,
    from: &Checkpoint,
    arrivals: &[(MessageKey, Arrival<'_>)],
) -> Result<Vec<Changed>, StoreError> {
    let mut seen = HashMap::new();
    let mut keys = Vec::new();
    let mut firsts = Vec::new();
    for (key, arrival) in arrivals {
        seen.entry(key).or_insert_with(|| {
            keys.push(key.clone());
            firsts.push(arrival.received_at);
        });
    }
    let known = views.load(&keys)?;
    let messages = known.into_iter().zip(keys).zip(firsts).map(|((known, key), first)| {
        let new = || Message { id: 0, key, lifecycle: Lifecycle::begin(from.rule, first) };
        let message = known.unwrap_or_else(new);
        Changed { trail_known: message.lifecycle.trail.len(), message }
    });
    Ok(messages.collect())
}

/// Compares (query, body) of two events: those at hand first, the log only where it must be.
fn compare_content(
    store: &dyn Store,
    at_hand: &[RecordedEvent],
    a: Position,
    b: Position,
) -> Result<Ordering, StoreError> {
    let first = at_hand.first().map_or(0, |event| event.position);
    let find = |position: Position| {
        position.checked_sub(first).and_then(|index| at_hand.get(index as usize))
    };
    match (find(a), find(b)) {
        (Some(a), Some(b)) => Ok(content(a).cmp(&content(b))),
        _ => {
            let read = store.read_at(&[a, b])?;
            Ok(content(&read[0]).cmp(&content(&read[1])))
        }
    }
}

/// What settles ties between events of one status and error code.
pub(super) fn content(event: &RecordedEvent) -> (&[u8], &[u8]) {
    (event.query().as_bytes(), &event.body)
}
