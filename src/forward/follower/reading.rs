//! Reading the log: the next events that a target gets, and again those that are sent another time.

use super::{Follower, WAITING_MAX, now};
use crate::domain::{Position, RecordedEvent};
use crate::forward::job::{ForwardError, Job};
use crate::forward::selected::{SelectedEvent, select};
use crate::store::forward::{ReadTo, UnacceptedEvent};
use crate::store::{Store, StoreError};

/// The events of a page: some milliseconds of reading.
const PAGE_EVENTS: usize = 256;

/// The bytes of a page, not counting its last event.
const PAGE_BYTES: usize = 1 << 20;

/// The bytes of events that wait in memory. Those that are read beyond them are read again when they are due,
/// as if there are many of one message.
const READ_BYTES_MAX: usize = 4 << 20;

/// The pages that are read before what was read is stored, for a target that gets few of many events.
const PAGES_MAX: usize = 16;

impl Follower<'_> {
    /// Reads events up to a position, as many as are needed now.
    pub(super) fn read_on(&mut self, up_to: Position) -> Result<(), ForwardError> {
        if self.outage.failing_since().is_some() {
            return Ok(());
        }
        for _ in 0..PAGES_MAX {
            if !self.wants_more() || self.read_page(up_to, usize::MAX)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// True if too few events are due to have as many requests at a time as are allowed.
    pub(super) fn wants_more(&self) -> bool {
        !self.more_stored
            && self.queue.len() < WAITING_MAX
            && !self.queue.has_due(now(), self.job.target.requests)
    }

    /// Reads a page, up to the event with which `selected_max` events are selected. Returns how many events
    /// were read, selected or not.
    pub(super) fn read_page(
        &mut self,
        up_to: Position,
        selected_max: usize,
    ) -> Result<usize, ForwardError> {
        let Job { target, store, rule, .. } = self.job;
        let from = self.read_to.position;
        let unread = usize::try_from(up_to.saturating_sub(from)).unwrap_or(usize::MAX);
        if unread == 0 {
            return Ok(0);
        }
        let events = read(&**store, from, unread.min(PAGE_EVENTS))?;
        let (Some(last), read) = (events.last(), events.len()) else {
            return Err(StoreError::NoSuchEvent { position: from + 1 }.into());
        };
        let mut read_to = ReadTo { position: last.position, event_id: Some(last.event_id) };
        let mut selected = select(target, &**store, *rule, events)?;
        if let Some(last) = selected.get(selected_max.saturating_sub(1)) {
            let (position, event_id) = (last.event.position, Some(last.event.event_id));
            read_to = ReadTo { position, event_id };
            selected.truncate(selected_max);
        }
        self.read_to = read_to;
        let due_at = now();
        for selected in selected {
            let position = selected.event.position;
            self.queue.insert(UnacceptedEvent {
                position,
                order_key: selected.order_key,
                attempts: 0,
                first_attempt_at: None,
                due_at,
                last_answer: None,
                failed_at: None,
            });
            self.changed.insert(position);
            // After a command has moved the target back, an event may still wait for its answer.
            if self.sent.contains_key(&position) {
                self.queue.mark_sending(position);
            }
            // A message with all that is known of it is read when it is sent.
            if self.read_bytes < READ_BYTES_MAX && target.format.is_request() {
                self.keep(selected);
            }
        }
        Ok(read)
    }

    /// Reads those of these events again that are not in memory.
    pub(super) fn read_again(&mut self, positions: &[Position]) -> Result<(), ForwardError> {
        let Job { target, store, rule, .. } = self.job;
        let missing = positions.iter().filter(|position| !self.read.contains_key(position));
        let missing: Vec<_> = missing.copied().collect();
        if !missing.is_empty() {
            let events = store.read_at(&missing)?;
            let selected = select(target, &**store, *rule, events)?;
            selected.into_iter().for_each(|selected| self.keep(selected));
        }
        Ok(())
    }

    fn keep(&mut self, selected: SelectedEvent) {
        self.read_bytes += selected.bytes();
        self.read.insert(selected.event.position, selected);
    }

    /// An event that is in memory, which it then is no more.
    pub(super) fn take_read(&mut self, position: Position) -> Option<SelectedEvent> {
        let selected = self.read.remove(&position)?;
        self.read_bytes = self.read_bytes.saturating_sub(selected.bytes());
        Some(selected)
    }
}

/// At most this many events after a position, fewer if they are large.
fn read(
    store: &dyn Store,
    after: Position,
    limit: usize,
) -> Result<Vec<RecordedEvent>, StoreError> {
    use std::ops::ControlFlow::{Break, Continue};
    let (mut events, mut bytes) = (Vec::new(), 0);
    store.scan(after, limit, &mut |event| {
        bytes += event.body.len() + event.url.len();
        events.push(event.clone());
        if bytes < PAGE_BYTES { Continue(()) } else { Break(()) }
    })?;
    Ok(events)
}
