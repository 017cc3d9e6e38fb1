//! Catches up: reads the log on from a checkpoint and writes its messages to the views, in batches.

use std::ops::ControlFlow;
use std::thread;

use super::ProjectionError;
use super::batch::prefetch::Prefetcher;
use super::batch::prepare::{BATCH_EVENTS_MAX, BatchBuffers, PreparedBatch, content};
use super::erased::erased_by;
use super::events_of_message::message_hash;
use crate::domain::hash::Hash;
use crate::domain::message::event_ref::EventRef;
use crate::domain::tree::{Node, RightEdge};
use crate::domain::{MessageKey, Position};
use crate::store::{
    Batch, Checkpoint, MessageChange, NODE_LEVELS, SilentEvent, Store, StoreError, Views,
};

/// Called with the new checkpoint's position after each batch; may stop there.
pub type Progress<'a> = &'a mut dyn FnMut(Position) -> ControlFlow<()>;

/// Called with each batch once it is written, and what was read of its events; may stop there.
pub type Each<'a> = &'a mut dyn FnMut(&Batch, &BatchBuffers) -> ControlFlow<()>;

/// Brings views up to a position of the log and returns their checkpoint.
///
/// It stops at the first event that cannot be read: views never skip one.
pub fn catch_up(
    store: &dyn Store,
    views: &dyn Views,
    up_to: Position,
    progress: Progress<'_>,
) -> Result<Checkpoint, ProjectionError> {
    catch_up_by_batches(store, views, up_to, &mut |batch, _| progress(batch.to.position))
}

/// Like [`catch_up`], for callers that need to know what was written.
pub fn catch_up_by_batches(
    store: &dyn Store,
    views: &dyn Views,
    up_to: Position,
    each: Each<'_>,
) -> Result<Checkpoint, ProjectionError> {
    let mut checkpoint = views.checkpoint()?;
    while checkpoint.position < up_to {
        match follow(store, views, checkpoint, up_to, each) {
            Ok(reached) => checkpoint = reached,
            Err(ProjectionError::Store(StoreError::CheckpointMoved)) => {
                checkpoint = views.checkpoint()?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(checkpoint)
}

/// Writes batch after batch, unless another projection moves the checkpoint.
fn follow(
    store: &dyn Store,
    views: &dyn Views,
    mut checkpoint: Checkpoint,
    up_to: Position,
    each: Each<'_>,
) -> Result<Checkpoint, ProjectionError> {
    let (rule, from) = (checkpoint.rule, checkpoint.position);
    let mut take = |mut prepared: PreparedBatch| {
        let batch = step(store, views, &checkpoint, &mut prepared)?;
        let go_on = each(&batch, &prepared.buffers);
        checkpoint = batch.to;
        prepared.buffers.reuse(batch.messages);
        match (prepared.ended_by, go_on) {
            (Some(error), _) => Err(error),
            (None, ControlFlow::Break(())) => Err(ProjectionError::Stopped),
            (None, ControlFlow::Continue(())) => Ok(prepared.buffers),
        }
    };
    if up_to - from <= BATCH_EVENTS_MAX {
        take(PreparedBatch::read(BatchBuffers::default(), store, Some(rule), from, up_to))?;
    } else {
        thread::scope(|scope| {
            let mut prefetcher = Prefetcher::begin(scope, store, Some(rule), from, up_to);
            while let Some(prepared) = prefetcher.next() {
                prefetcher.request(take(prepared)?);
            }
            Ok::<_, ProjectionError>(())
        })?;
    }
    Ok(checkpoint)
}

/// Brings the views up to the end of a batch, even if that ended early; returns what was written.
fn step(
    store: &dyn Store,
    views: &dyn Views,
    from: &Checkpoint,
    prepared: &mut PreparedBatch,
) -> Result<Batch, ProjectionError> {
    let Some((position, event_id)) = prepared.last else {
        let ended_by = prepared.ended_by.take();
        return Err(ended_by.unwrap_or(ProjectionError::Gap(from.position + 1)));
    };
    prepared.follows(from)?;
    let (tree, tree_nodes) = grown(&from.tree, &prepared.buffers.digests);
    let to = Checkpoint {
        position,
        event_id: Some(event_id),
        tree,
        first_real: if from.first_real == 0 { prepared.first_real } else { from.first_real },
        last_simulated: prepared.last_simulated.max(from.last_simulated),
        ..from.clone()
    };
    let mut silent_events = std::mem::take(&mut prepared.buffers.silent_events);
    let messages = join(store, views, prepared.buffers.messages.take(), &mut silent_events)?;
    let erased_events = messages.erased_events;
    let messages = messages.left;
    let logged_errors = std::mem::take(&mut prepared.buffers.logged_errors);
    let batch = Batch {
        from: from.position,
        to,
        messages,
        tree_nodes,
        logged_errors,
        silent_events,
        erased_events,
    };
    views.project(&batch)?;
    Ok(batch)
}

/// The tree with further leaves, and its new nodes of the levels that are stored.
fn grown(tree: &RightEdge, leaves: &[Hash]) -> (RightEdge, Vec<(Node, Hash)>) {
    let (mut tree, mut nodes) = (tree.clone(), Vec::new());
    for leaf in leaves {
        tree.push(*leaf, |node, hash| {
            if node.level % NODE_LEVELS == 0 {
                nodes.push((node, hash));
            }
        });
    }
    (tree, nodes)
}

/// The messages of a batch that are projected.
struct Joined {
    left: Vec<MessageChange>,
    /// The number of events of those that were left out, because they were erased.
    erased_events: u64,
}

/// Joins the messages of a batch with their state in the views. Those that were erased are left out: their events
/// only name them.
fn join(
    store: &dyn Store,
    views: &dyn Views,
    mut messages: Vec<MessageChange>,
    silent_events: &mut Vec<SilentEvent>,
) -> Result<Joined, ProjectionError> {
    let keys: Vec<_> = messages.iter().map(|change| &change.message.key).collect();
    let known = views.load(&keys)?;
    let mut by_content = |a, b| {
        let read = store.read_at(&[a, b])?;
        Ok::<_, StoreError>(content(&read[0]).cmp(&content(&read[1])))
    };
    for (change, known) in messages.iter_mut().zip(known) {
        if let Some(known) = known {
            change.before = Some(Box::new(known.lifecycle.clone()));
            let next = std::mem::replace(&mut change.message, known);
            change.message.lifecycle.join(next.lifecycle, &mut by_content)?;
        }
    }
    let left_out = leave_out_erased(store, &mut messages)?;
    let erased_events = left_out.len() as u64;
    silent_events.extend(left_out);
    Ok(Joined { left: messages, erased_events })
}

/// Leaves out the new messages that were erased, and returns their events.
fn leave_out_erased(
    store: &dyn Store,
    messages: &mut Vec<MessageChange>,
) -> Result<Vec<SilentEvent>, ProjectionError> {
    let new = messages.iter().filter(|change| change.before.is_none());
    let keys: Vec<_> = new.map(|change| &change.message.key).collect();
    let erased = erased_by(store, &keys)?;
    if erased.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    let (mut erased, mut left_out) = (erased.into_iter(), Vec::new());
    messages.retain(|change| {
        let is_erased = change.before.is_none() && erased.next().flatten().is_some();
        if is_erased {
            let MessageKey { account_sid, message_sid } = &change.message.key;
            let message = SilentEvent::key(&message_hash(account_sid.as_ref(), message_sid));
            let events = change.message.lifecycle.history.iter();
            let silent = |event: &EventRef| SilentEvent { message, position: event.position };
            left_out.extend(events.map(silent));
        }
        !is_erased
    });
    Ok(left_out)
}
