//! Reading the log: the next events that a target gets, and again those that are sent another time.

use super::{Follower, WAITING_MAX, now};
use crate::domain::{Position, RecordedEvent};
use crate::forward::job::Job;
use crate::forward::selected::select;
use crate::store::forward::{ReadTo, UnacceptedEvent};
use crate::store::{Store, StoreError};

/// The events of a page: some milliseconds of reading.
const PAGE_EVENTS: usize = 256;

/// The bytes of a page, not counting its last event. They are in memory until they have been sent once.
const PAGE_BYTES: usize = 1 << 20;

/// The pages that are read before what was read is stored, for a target that gets few of many events.
const PAGES_MAX: usize = 16;

impl Follower<'_> {
    /// Reads events up to a position, as many as are needed now.
    pub(super) fn read_on(&mut self, up_to: Position) -> Result<(), StoreError> {
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
        self.queue.len() < WAITING_MAX && !self.queue.has_due(now(), self.job.target.requests)
    }

    /// Reads a page, up to the event with which `selected_max` events are selected. Returns how many events
    /// were read, selected or not.
    pub(super) fn read_page(
        &mut self,
        up_to: Position,
        selected_max: usize,
    ) -> Result<usize, StoreError> {
        let Job { target, store, rule, .. } = self.job;
        let from = self.read_to.position;
        let unread = usize::try_from(up_to.saturating_sub(from)).unwrap_or(usize::MAX);
        if unread == 0 {
            return Ok(0);
        }
        let events = read(&**store, from, unread.min(PAGE_EVENTS))?;
        let (Some(last), read) = (events.last(), events.len()) else {
            return Err(StoreError::NoSuchEvent { position: from + 1 });
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
            self.read.insert(position, selected);
        }
        Ok(read)
    }

    /// Reads those of these events again that are not in memory.
    pub(super) fn read_again(&mut self, positions: &[Position]) -> Result<(), StoreError> {
        let Job { target, store, rule, .. } = self.job;
        let missing = positions.iter().filter(|position| !self.read.contains_key(position));
        let missing: Vec<_> = missing.copied().collect();
        if !missing.is_empty() {
            let events = store.read_at(&missing)?;
            let selected = select(target, &**store, *rule, events)?;
            self.read.extend(selected.into_iter().map(|it| (it.event.position, it)));
        }
        Ok(())
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
