//! Reading on from a checkpoint: events in, messages out, batch by batch.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::thread;

use super::ProjectionError;
use super::prepared::{BATCH_EVENTS_MAX, Prepared, Told, read_ahead};
use crate::domain::digest::{self, Hash};
use crate::domain::lifecycle::Arrival;
use crate::domain::{Lifecycle, Position, RecordedEvent};
use crate::store::{Batch, CHAIN_MARK_EVERY, Checkpoint, Message, Store, StoreError, Views};

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
        match follow(store, views, checkpoint, up_to, progress) {
            Ok(reached) => checkpoint = reached,
            Err(ProjectionError::Store(StoreError::CheckpointMoved)) => {
                checkpoint = views.checkpoint()?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(checkpoint)
}

/// Batch after batch, as long as nobody else moves the checkpoint.
fn follow(
    store: &dyn Store,
    views: &dyn Views,
    mut checkpoint: Checkpoint,
    up_to: Position,
    progress: Progress<'_>,
) -> Result<Checkpoint, ProjectionError> {
    let from = checkpoint.position;
    let mut take = |batch: Result<Prepared, StoreError>| {
        checkpoint = step(store, views, &checkpoint, &batch?)?;
        match progress(checkpoint.position) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ProjectionError::Stopped),
        }
    };
    match up_to - from <= BATCH_EVENTS_MAX as u64 {
        true => take(Prepared::read(store, from, up_to))?,
        false => thread::scope(|scope| {
            read_ahead(scope, store, from, up_to).into_iter().try_for_each(take)
        })?,
    }
    Ok(checkpoint)
}

fn step(
    store: &dyn Store,
    views: &dyn Views,
    from: &Checkpoint,
    prepared: &Prepared,
) -> Result<Checkpoint, ProjectionError> {
    prepared.follows(from)?;
    let last = prepared.events.last().ok_or(ProjectionError::Gap(from.position + 1))?;
    let (chain, chain_marks) = chain(from.chain, prepared);
    let batch = Batch {
        from: from.position,
        to: Checkpoint {
            position: last.position,
            event_id: Some(last.event_id),
            chain,
            ..from.clone()
        },
        messages: fold(store, views, from, prepared)?,
        chain_marks,
    };
    views.project(&batch)?;
    Ok(batch.to)
}

/// The chain behind the batch, and its value at each mark on the way.
fn chain(start: Hash, prepared: &Prepared) -> (Hash, Vec<(Position, Hash)>) {
    let (mut chain, mut marks) = (start, Vec::new());
    for (event, digest) in prepared.events.iter().zip(&prepared.digests) {
        chain = digest::chain(&chain, digest);
        if event.position % CHAIN_MARK_EVERY == 0 {
            marks.push((event.position, chain));
        }
    }
    (chain, marks)
}

/// The messages that the events touch, as they stand afterwards; new ones in order of arrival.
fn fold(
    store: &dyn Store,
    views: &dyn Views,
    from: &Checkpoint,
    prepared: &Prepared,
) -> Result<Vec<Message>, ProjectionError> {
    let Prepared { events, told, .. } = prepared;
    let (mut messages, places) = touched(views, from, events, told)?;
    let mut by_content = |a, b| compare_content(store, events, a, b);
    for (Told { index, fingerprint, reported, .. }, place) in told.iter().zip(places) {
        let RecordedEvent { position, event } = &events[*index];
        let arrival = Arrival {
            position: *position,
            received_at: event.received_at,
            fingerprint: *fingerprint,
            reported,
        };
        messages[place].lifecycle.apply(&arrival, &mut by_content)?;
    }
    Ok(messages)
}

/// Every message that is touched, as it stood before, and for each word told the place of its message.
fn touched(
    views: &dyn Views,
    from: &Checkpoint,
    events: &[RecordedEvent],
    told: &[Told],
) -> Result<(Vec<Message>, Vec<usize>), StoreError> {
    let mut place_of = HashMap::with_capacity(told.len());
    let (mut keys, mut firsts) = (Vec::new(), Vec::new());
    let mut places = Vec::with_capacity(told.len());
    for Told { index, key, .. } in told {
        places.push(*place_of.entry(key).or_insert_with(|| {
            keys.push(key.clone());
            firsts.push(events[*index].received_at);
            keys.len() - 1
        }));
    }
    let known = views.load(&keys)?;
    let messages = known.into_iter().zip(keys).zip(firsts).map(|((known, key), first)| {
        let new = || Message { id: 0, key, lifecycle: Lifecycle::begin(from.rule, first) };
        known.unwrap_or_else(new)
    });
    Ok((messages.collect(), places))
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
