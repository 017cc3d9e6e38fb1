//! Prepares a batch without the views: reads its events, hashes them, and folds them into messages as
//! if nothing had come before.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use uuid::Uuid;

use super::messages::BatchMessages;
use super::noted::Noted;
use crate::domain::digest::{Digester, Sids, fingerprint};
use crate::domain::hash::Hash;
use crate::domain::logged_error::LoggedError;
use crate::domain::message::lifecycle::Incoming;
use crate::domain::{Lifecycle, Position, RecordedEvent, Rule};
use crate::projection::ProjectionError;
use crate::store::{Checkpoint, MessageChange, SilentEvent, Store, StoreError, for_each_event};
use crate::twilio::callback::ParsedCallback;
use crate::twilio::event_sids::EventSids;
use crate::twilio::json::error_log;

/// The number of events in one batch. The events of most messages lie closer together, so that most
/// are written once, and a batch in memory takes some 5 MB.
pub const BATCH_EVENTS_MAX: u64 = 1 << 14;

/// The number of events that most messages have at least, to reserve memory for messages.
const EVENTS_A_MESSAGE: usize = 2;

/// The events of one batch.
pub struct PreparedBatch {
    /// The event before them, if there is one.
    before: Option<(Position, Uuid)>,
    /// The last of them; `None` if there are none.
    pub last: Option<(Position, Uuid)>,
    /// The first of them that no simulation sent; 0 is none.
    pub first_real: Position,
    /// The last of them that a simulation sent; 0 is none.
    pub last_simulated: Position,
    /// Their hashes and messages.
    pub buffers: BatchBuffers,
    /// The error that ended the batch early.
    pub ended_by: Option<ProjectionError>,
}

/// The memory of a batch. Once a batch is written it is reused for another, so that a rebuild needs
/// no more of it than for the batches in progress.
#[derive(Default)]
pub struct BatchBuffers {
    /// One for each event.
    pub digests: Vec<Hash>,
    /// What a verification needs besides the digests.
    pub noted: Noted,
    /// The events' messages, each folded as if it had no earlier events.
    pub messages: BatchMessages,
    /// The errors that Twilio has logged.
    pub logged_errors: Vec<LoggedError>,
    /// The events that name a message and report nothing of it.
    pub silent_events: Vec<SilentEvent>,
}

impl BatchBuffers {
    /// Empties the buffers, and takes the memory of the messages that were written.
    pub fn reuse(&mut self, written: Vec<MessageChange>) {
        self.digests.clear();
        self.noted.clear();
        self.messages.reuse(written);
    }
}

impl PreparedBatch {
    /// Reads the batch after a position, up to another at most, into empty buffers. Without a rule, its events are
    /// only hashed.
    pub fn read(
        mut buffers: BatchBuffers,
        store: &dyn Store,
        rule: Option<Rule>,
        after: Position,
        up_to: Position,
    ) -> Self {
        let events = (up_to - after) as usize;
        buffers.digests.reserve(events);
        if rule.is_some() {
            buffers.messages.reserve(events / EVENTS_A_MESSAGE);
        }
        let mut preparing = Preparing { store, rule, digester: Digester::default() };
        let mut batch = Self {
            before: None,
            last: None,
            first_real: 0,
            last_simulated: 0,
            buffers,
            ended_by: None,
        };
        batch.ended_by = preparing.read(&mut batch, after, up_to).err();
        batch
    }

    fn record_simulated(&mut self, position: Position, simulated: bool) {
        match simulated {
            true => self.last_simulated = position,
            false if self.first_real == 0 => self.first_real = position,
            false => {}
        }
    }

    /// Checks that the batch continues what was read up to the checkpoint.
    pub fn follows(&self, checkpoint: &Checkpoint) -> Result<(), ProjectionError> {
        let before = self.before.map(|(position, id)| (position, Some(id)));
        match checkpoint.position {
            0 => Ok(()),
            position if before == Some((position, checkpoint.event_id)) => Ok(()),
            position => Err(ProjectionError::OtherHistory(position)),
        }
    }
}

/// The inputs of reading a batch.
struct Preparing<'s> {
    store: &'s dyn Store,
    rule: Option<Rule>,
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
        let digest = match self.rule {
            Some(rule) => self.fold(batch, rule, event)?,
            None => self.digester.digest(event, EventSids::parse(event).as_sids()),
        };
        batch.buffers.digests.push(digest);
        batch.buffers.noted.note(event);
        batch.last = Some(id);
        Ok(())
    }

    /// Adds an event to its message, and returns its digest.
    fn fold(
        &mut self,
        batch: &mut PreparedBatch,
        rule: Rule,
        event: &RecordedEvent,
    ) -> Result<Hash, ProjectionError> {
        let ParsedCallback { account_sid, message_sid, reported, simulated } =
            ParsedCallback::parse(event);
        let sids =
            Sids { account_sid: account_sid.as_deref(), message_sid: message_sid.as_deref() };
        batch.record_simulated(event.position, simulated);
        let BatchBuffers { messages, logged_errors, silent_events, .. } = &mut batch.buffers;
        let (Some(message_sid), Some(reported)) = (&message_sid, reported) else {
            logged_errors.extend(error_log::logged_error(event));
            let hash = self.digester.message_of(event, sids);
            let (message, position) = (SilentEvent::key(&hash), event.position);
            silent_events.extend((message != 0).then_some(SilentEvent { message, position }));
            return Ok(self.digester.digest_of(event, &hash));
        };
        let begin =
            || (Lifecycle::new(rule, event.received_at), self.digester.message_of(event, sids));
        let (lifecycle, hash) = messages.entry(account_sid.as_deref(), message_sid, begin);
        let arrival = Incoming {
            position: event.position,
            received_at: event.received_at,
            fingerprint: fingerprint(event, reported.cloud_event_id()),
            reported,
        };
        let mut by_content = |a, b| compare_content(self.store, event, a, b);
        lifecycle.apply(arrival, &mut by_content)?;
        Ok(self.digester.digest_of(event, hash))
    }
}

/// Compares query and body of two events, one of which may be this one.
fn compare_content(
    store: &dyn Store,
    this: &RecordedEvent,
    a: Position,
    b: Position,
) -> Result<Ordering, StoreError> {
    match (a == this.position, b == this.position) {
        (true, _) => Ok(content(this).cmp(&content(&store.read_at(&[b])?[0]))),
        (_, true) => Ok(content(&store.read_at(&[a])?[0]).cmp(&content(this))),
        _ => {
            let read = store.read_at(&[a, b])?;
            Ok(content(&read[0]).cmp(&content(&read[1])))
        }
    }
}

/// The values that break ties between events of one status and error code.
pub fn content(event: &RecordedEvent) -> (&[u8], &[u8]) {
    (event.query().as_bytes(), &event.body)
}
