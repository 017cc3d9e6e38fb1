//! What a batch needs before any view is asked: its events read, digested, and folded by themselves.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use uuid::Uuid;

use super::messages::BatchMessages;
use crate::domain::digest::{Digester, Hash};
use crate::domain::lifecycle::Incoming;
use crate::domain::{Lifecycle, Position, RecordedEvent, Rule};
use crate::projection::ProjectionError;
use crate::store::{Checkpoint, MessageChange, Store, StoreError, for_each_event};
use crate::twilio::callback::ParsedCallback;

/// How many events one batch takes. The events of most messages lie closer together, so that most
/// are written once, and a batch in memory takes some 5 MB.
pub const BATCH_EVENTS_MAX: u64 = 1 << 14;

/// How many events most messages have at least; room is made for as many messages.
const EVENTS_A_MESSAGE: usize = 2;

/// The events of one batch.
pub struct PreparedBatch {
    /// The event before them, where there is one.
    before: Option<(Position, Uuid)>,
    /// The last of them; nothing where there is none.
    pub last: Option<(Position, Uuid)>,
    /// The first of them that no simulation sent, and the last that one did; 0 is none.
    pub first_real: Position,
    pub last_simulated: Position,
    /// What was found out about them.
    pub memory: BatchBuffers,
    /// Why the events end before they should.
    pub ended_by: Option<ProjectionError>,
}

/// The memory that a batch takes. It goes from one that was written to one that is prepared, so that
/// a rebuild takes no more of it than the batches that it is at.
#[derive(Default)]
pub struct BatchBuffers {
    /// Of each event.
    pub digests: Vec<Hash>,
    /// The messages they are about, each folded as if nothing had come before.
    pub touched: BatchMessages,
}

impl BatchBuffers {
    /// Takes over the memory of messages that were written; nothing is in it then.
    pub fn reuse(&mut self, written: Vec<MessageChange>) {
        self.digests.clear();
        self.touched.reuse(written);
    }
}

impl PreparedBatch {
    /// Reads the batch after a position, up to another at most, into empty memory.
    pub fn read(
        mut memory: BatchBuffers,
        store: &dyn Store,
        rule: Rule,
        after: Position,
        up_to: Position,
    ) -> Self {
        let events = (up_to - after) as usize;
        memory.digests.reserve(events);
        memory.touched.reserve(events / EVENTS_A_MESSAGE);
        let mut preparing = Preparing { store, rule, digester: Digester::default() };
        let mut batch = Self {
            before: None,
            last: None,
            first_real: 0,
            last_simulated: 0,
            memory,
            ended_by: None,
        };
        batch.ended_by = preparing.read(&mut batch, after, up_to).err();
        batch
    }

    fn hear_of_simulation(&mut self, position: Position, simulated: bool) {
        match simulated {
            true => self.last_simulated = position,
            false if self.first_real == 0 => self.first_real = position,
            false => {}
        }
    }

    /// Makes sure that the batch follows on what was read up to the checkpoint.
    pub fn follows(&self, checkpoint: &Checkpoint) -> Result<(), ProjectionError> {
        let before = self.before.map(|(position, id)| (position, Some(id)));
        match checkpoint.position {
            0 => Ok(()),
            position if before == Some((position, checkpoint.event_id)) => Ok(()),
            position => Err(ProjectionError::OtherHistory(position)),
        }
    }
}

/// What reading a batch takes.
struct Preparing<'s> {
    store: &'s dyn Store,
    rule: Rule,
    digester: Digester,
}

impl Preparing<'_> {
    fn read(
        &mut self,
        batch: &mut PreparedBatch,
        after: Position,
        up_to: Position,
    ) -> Result<(), ProjectionError> {
        // The event before shows whether the log is still the one that was read.
        let (mut at, mut taken) = (after.saturating_sub(1), Ok(()));
        for_each_event(self.store, at + 1..=up_to, &mut |event| {
            taken = self.take(batch, at + 1, after, event);
            at += 1;
            if taken.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        taken?;
        if at < up_to { Err(ProjectionError::Gap(at + 1)) } else { Ok(()) }
    }

    fn take(
        &mut self,
        batch: &mut PreparedBatch,
        due: Position,
        after: Position,
        event: &RecordedEvent,
    ) -> Result<(), ProjectionError> {
        let id = (event.position, event.event_id);
        if event.position != due {
            return Err(ProjectionError::Gap(due));
        }
        if event.position <= after {
            batch.before = Some(id);
            return Ok(());
        }
        let known_by = self.digester.digest(event);
        let ParsedCallback { account_sid, message_sid, reported, simulated } =
            ParsedCallback::parse(event);
        batch.hear_of_simulation(event.position, simulated);
        if let (Some(message_sid), Some(reported)) = (message_sid, reported) {
            let begin = || Lifecycle::begin(self.rule, event.received_at);
            let lifecycle = batch.memory.touched.entry(account_sid.as_deref(), &message_sid, begin);
            let arrival = Incoming {
                position: event.position,
                received_at: event.received_at,
                fingerprint: known_by.fingerprint,
                reported,
            };
            let mut by_content = |a, b| compare_content(self.store, event, a, b);
            lifecycle.apply(arrival, &mut by_content)?;
        }
        batch.memory.digests.push(known_by.digest);
        batch.last = Some(id);
        Ok(())
    }
}

/// Compares (query, body) of two events, of which one may be at hand.
fn compare_content(
    store: &dyn Store,
    at_hand: &RecordedEvent,
    a: Position,
    b: Position,
) -> Result<Ordering, StoreError> {
    match (a == at_hand.position, b == at_hand.position) {
        (true, _) => Ok(content(at_hand).cmp(&content(&store.read_at(&[b])?[0]))),
        (_, true) => Ok(content(&store.read_at(&[a])?[0]).cmp(&content(at_hand))),
        _ => {
            let read = store.read_at(&[a, b])?;
            Ok(content(&read[0]).cmp(&content(&read[1])))
        }
    }
}

/// What settles ties between events of one status and error code.
pub fn content(event: &RecordedEvent) -> (&[u8], &[u8]) {
    (event.query().as_bytes(), &event.body)
}
