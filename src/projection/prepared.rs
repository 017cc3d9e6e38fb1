//! What a batch needs before any view is asked: its events read, parsed and digested.
//! Far behind the head this is done ahead, in a thread of its own, while the batch before is written.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use uuid::Uuid;

use super::ProjectionError;
use crate::domain::digest::{self, Hash};
use crate::domain::{MessageKey, Position, RecordedEvent, StatusReported};
use crate::store::{Checkpoint, Store, StoreError};
use crate::twilio::callback::Reading;

/// How many events one batch takes: enough to write each page of the views once for many of them.
pub const BATCH_EVENTS_MAX: usize = 4096;

/// How many batches are read ahead: one, which is then ready as soon as it is wanted.
const BATCHES_AHEAD: usize = 1;

/// The events of one batch.
pub struct Prepared {
    /// The event before them, where there is one.
    before: Option<(Position, Uuid)>,
    pub events: Vec<RecordedEvent>,
    /// Of each event.
    pub digests: Vec<Hash>,
    /// What those that say something of a message say, in order.
    pub told: Vec<Told>,
}

/// One event's word on its message.
pub struct Told {
    /// Which of the batch's events it is.
    pub index: usize,
    pub key: MessageKey,
    pub fingerprint: u64,
    pub reported: StatusReported,
}

impl Prepared {
    /// Reads the batch after a position, up to another at most.
    pub fn read(store: &dyn Store, after: Position, up_to: Position) -> Result<Self, StoreError> {
        // One event more shows whether the log is still the one that was read.
        let seen = u64::from(after > 0);
        let wanted = (up_to - after).min(BATCH_EVENTS_MAX as u64) + seen;
        let mut events = store.read(after - seen, wanted as usize)?;
        let before = (seen == 1 && !events.is_empty()).then(|| events.remove(0));
        let mut digests = Vec::with_capacity(events.len());
        let mut told = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            let hashes = digest::digest(event);
            digests.push(hashes.digest);
            let reading = Reading::of(event);
            let key = reading.message_key();
            if let (Some(key), Some(reported)) = (key, reading.reported) {
                let fingerprint = digest::fingerprint(event, &hashes.body);
                told.push(Told { index, key, fingerprint, reported });
            }
        }
        let before = before.map(|event| (event.position, event.event_id));
        Ok(Self { before, events, digests, told })
    }

    /// Makes sure that the batch follows on what was read up to the checkpoint, without gaps.
    pub fn follows(&self, checkpoint: &Checkpoint) -> Result<(), ProjectionError> {
        let Checkpoint { position, event_id, .. } = *checkpoint;
        let before = self.before.map(|(position, id)| (position, Some(id)));
        if position > 0 && before != Some((position, event_id)) {
            return Err(ProjectionError::OtherHistory(position));
        }
        let mut due = (position + 1..).zip(&self.events);
        match due.find(|(due, event)| event.position != *due) {
            Some((due, _)) => Err(ProjectionError::Gap(due)),
            None => Ok(()),
        }
    }
}

/// Reads batch after batch, until the end, an error, or the receiver is dropped.
pub fn read_ahead<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    store: &'env dyn Store,
    mut after: Position,
    up_to: Position,
) -> Receiver<Result<Prepared, StoreError>> {
    let (ready, batches) = sync_channel(BATCHES_AHEAD);
    scope.spawn(move || {
        while after < up_to {
            let batch = Prepared::read(store, after, up_to);
            let last = batch.as_ref().ok().and_then(|batch| batch.events.last());
            let next = last.map(|event| event.position);
            if ready.send(batch).is_err() {
                return;
            }
            let Some(next) = next else { return };
            after = next;
        }
    });
    batches
}
