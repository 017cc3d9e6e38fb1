//! A copy in memory of the last appended events, until the log's file itself has them. Events that are
//! lost with a damaged write-ahead log are appended again from it.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use uuid::Uuid;

use crate::domain::{NewEvent, Position};
use crate::store::events::bytes;
use crate::store::head::Head;
use crate::store::{Store, StoreError, for_each_event};

/// Maximum bytes of copies. SQLite usually moves the WAL into its file at 4 MB; it grows larger only if
/// another program does that, or a long read prevents it.
const BYTES_MAX: usize = 32 << 20;

/// A position, and the id of the event there; `None` at position 0.
type Place = (Position, Option<Uuid>);

/// Events at consecutive positions, the last of which was the last to be appended.
#[derive(Debug, Default)]
pub struct RecentAppends {
    /// Each event's id and its number of bytes.
    events: VecDeque<(Uuid, usize)>,
    /// The encoded events, without separators.
    bytes: VecDeque<u8>,
    /// The position of the first event, if there is one.
    first: Position,
    /// The id of the event before it; `None` if another process appended that one.
    before: Option<Uuid>,
    /// Buffer for encoding one event.
    one: Vec<u8>,
}

impl RecentAppends {
    /// Adds events that were appended, the first at this position.
    pub fn add(&mut self, first: Position, events: &[NewEvent]) {
        if self.next() != first {
            // Another process has appended in between.
            self.events.clear();
            self.bytes.clear();
            (self.first, self.before) = (first, None);
        }
        for event in events {
            self.one.clear();
            bytes::write(event, &mut self.one);
            self.bytes.extend(&self.one);
            self.events.push_back((event.event_id, self.one.len()));
        }
        while self.bytes.len() > BYTES_MAX {
            self.remove_first();
        }
    }

    /// Removes the events up to a position.
    pub fn forget(&mut self, up_to: Position) {
        while !self.events.is_empty() && self.first <= up_to {
            self.remove_first();
        }
    }

    /// The events after the one that was `found`, up to the last. `None` if one of them is missing
    /// here, or they were not appended behind that event; `base` was the last when the log was opened.
    pub fn after(&self, found: Place, base: Place) -> Option<Vec<NewEvent>> {
        let (position, event_id) = found;
        let skipped = (position + 1).checked_sub(self.first)? as usize;
        let before = match skipped {
            0 => self.before,
            _ => self.events.get(skipped - 1).map(|(event_id, _)| *event_id),
        };
        let continues_the_log = found == base || (before.is_some() && before == event_id);
        if !continues_the_log {
            return None;
        }
        let mut begin: usize = self.events.iter().take(skipped).map(|(_, bytes)| bytes).sum();
        let read = |&(_, length): &(Uuid, usize)| {
            let bytes: Vec<u8> = self.bytes.range(begin..begin + length).copied().collect();
            begin += length;
            bytes::read(&bytes)
        };
        self.events.iter().skip(skipped).map(read).collect()
    }

    /// Has events that were shown after a position and up to another one read again. If the log does not have what was
    /// appended, nothing is read again: a verification then finds the difference to what was read before.
    pub fn read_again(
        &self,
        store: &dyn Store,
        head: &Head,
        Range { start, end }: Range<Position>,
    ) {
        if start >= end || start + 1 < self.first || self.next() <= end {
            return;
        }
        match self.first_changed(store) {
            Ok(None) => head.read_again(start),
            Ok(Some(position)) => tracing::error!(
                position,
                "the log has another event than the one that was acknowledged; run verify"
            ),
            Err(error) => tracing::error!(%error, "the end of the log cannot be read; run verify"),
        }
    }

    /// The first position at which the log has another event than was appended there, or none. An erased event counts as
    /// the same.
    fn first_changed(&self, store: &dyn Store) -> Result<Option<Position>, StoreError> {
        let (mut position, mut begin, mut found) = (self.first, 0, Vec::new());
        for_each_event(store, self.first..=self.next() - 1, &mut |event| {
            found.clear();
            bytes::write(event, &mut found);
            let length = self.events[(position - self.first) as usize].1;
            let is_same =
                event.erased.is_some() || self.bytes.range(begin..begin + length).eq(&found);
            if event.position != position || !is_same {
                return ControlFlow::Break(());
            }
            (position, begin) = (position + 1, begin + length);
            ControlFlow::Continue(())
        })?;
        Ok((position < self.next()).then_some(position))
    }

    fn next(&self) -> Position {
        self.first + self.events.len() as Position
    }

    fn remove_first(&mut self) {
        if let Some((event_id, bytes)) = self.events.pop_front() {
            self.bytes.drain(..bytes);
            self.before = Some(event_id);
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Headers, Salt};
    use crate::domain::{Source, Timestamp};

    fn event(number: u128) -> NewEvent {
        NewEvent {
            event_id: Uuid::from_u128(number),
            received_at: Timestamp::from(time::OffsetDateTime::UNIX_EPOCH),
            source: Source::Callback,
            method: "POST".to_owned(),
            url: String::new(),
            headers: Headers::default(),
            body: Vec::new(),
            verified_by: None,
            notes: Default::default(),
            salt: Salt::from_bytes([7; Salt::BYTES]),
        }
    }

    const START: Place = (0, None);

    fn at(position: Position) -> Place {
        (position, Some(Uuid::from_u128(position.into())))
    }

    fn ids(events: Option<Vec<NewEvent>>) -> Option<Vec<u128>> {
        events.map(|events| events.iter().map(|event| event.event_id.as_u128()).collect())
    }

    #[test]
    fn only_events_that_continue_the_log_are_returned() {
        let mut recent = RecentAppends::default();
        recent.add(1, &[event(1), event(2)]);
        recent.add(3, &[event(3)]);
        assert_eq!(ids(recent.after(START, START)), Some(vec![1, 2, 3]));
        assert_eq!(ids(recent.after(at(2), START)), Some(vec![3]));
        assert_eq!(ids(recent.after((2, at(9).1), START)), None, "another event is there");

        recent.forget(2);
        assert_eq!(ids(recent.after(at(2), START)), Some(vec![3]));
        assert_eq!(ids(recent.after(at(1), START)), None, "event 2 is not in memory");

        recent.add(5, &[event(5)]);
        assert_eq!(ids(recent.after(at(3), START)), None, "another appended event 4");
        assert_eq!(ids(recent.after(at(4), at(4))), Some(vec![5]), "it was the last at the start");
    }
}
