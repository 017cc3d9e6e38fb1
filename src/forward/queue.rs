//! The waiting events of a target: which one is sent next. Events of one message are sent in order of
//! position, one after another; other messages do not wait for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::{Position, Timestamp};
use crate::store::forward::{OrderKey, UnacceptedEvent};

/// Waiting events, and those that are being sent.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: BTreeMap<Position, UnacceptedEvent>,
    /// The events of each message.
    of_message: HashMap<OrderKey, BTreeSet<Position>>,
    /// The first event of each message that is not being sent, by the time of its next attempt.
    due: BTreeSet<(Timestamp, Position)>,
    sending: BTreeSet<Position>,
}

impl Queue {
    /// Adds an event that is not in the queue.
    pub fn insert(&mut self, event: UnacceptedEvent) {
        let of_message = self.of_message.entry(event.order_key).or_default();
        let first = of_message.first().copied();
        of_message.insert(event.position);
        if first.is_none_or(|first| event.position < first) {
            if let Some(first) = first {
                self.take_from_due(first);
            }
            self.due.insert((event.due_at, event.position));
        }
        self.waiting.insert(event.position, event);
    }

    /// The number of events in the queue.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// True if at least this number of events can be sent at this time.
    pub fn has_due(&self, now: Timestamp, events: usize) -> bool {
        self.due.range(..=(now, Position::MAX)).nth(events.saturating_sub(1)).is_some()
    }

    /// A waiting event.
    pub fn get(&self, position: Position) -> Option<&UnacceptedEvent> {
        self.waiting.get(&position)
    }

    /// When the next event is due; `None` if none is waiting for its time.
    pub fn next_due_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(due_at, _)| *due_at)
    }

    /// Takes the event that has been due for the longest time at `now`, to be sent.
    pub fn take(&mut self, now: Timestamp) -> Option<Position> {
        let (_, position) = *self.due.first().filter(|(due_at, _)| *due_at <= now)?;
        self.mark_sending(position);
        Some(position)
    }

    /// Takes this event, to be sent, whenever it is due; false if it has to wait for another one of its
    /// message.
    pub fn take_this(&mut self, position: Position) -> bool {
        let event = self.waiting.get(&position);
        let is_first = event.is_some_and(|event| self.due.contains(&(event.due_at, position)));
        if is_first {
            self.mark_sending(position);
        }
        is_first
    }

    /// Counts an attempt of an event that was taken, and returns its number, from 1.
    pub fn begin(&mut self, position: Position, now: Timestamp) -> u32 {
        let Some(event) = self.waiting.get_mut(&position) else { return 1 };
        event.attempts = event.attempts.saturating_add(1);
        event.first_attempt_at.get_or_insert(now);
        event.attempts
    }

    /// Makes every event due at this time that is due later.
    pub fn make_due(&mut self, now: Timestamp) {
        self.waiting.values_mut().for_each(|event| event.due_at = event.due_at.min(now));
        let first = std::mem::take(&mut self.due).into_iter();
        self.due = first.map(|(due_at, position)| (due_at.min(now), position)).collect();
    }

    /// Marks events as given up at this time whose first attempt began at `before` or earlier, and returns
    /// their positions. They stay in the queue.
    pub fn give_up(&mut self, before: Timestamp, now: Timestamp) -> Vec<Position> {
        let is_overdue = |event: &&mut UnacceptedEvent| {
            event.failed_at.is_none() && event.first_attempt_at.is_some_and(|first| first <= before)
        };
        let overdue = self.waiting.values_mut().filter(is_overdue);
        let give_up = |event: &mut UnacceptedEvent| {
            event.failed_at = Some(now);
            event.position
        };
        overdue.map(give_up).collect()
    }

    /// Marks an event as being sent.
    pub fn mark_sending(&mut self, position: Position) {
        if let Some(event) = self.waiting.get(&position) {
            self.due.remove(&(event.due_at, position));
            self.sending.insert(position);
        }
    }

    /// Removes an event, so that the next one of its message can be sent. `None` if it is not in the queue.
    pub fn remove(&mut self, position: Position) -> Option<UnacceptedEvent> {
        let event = self.waiting.remove(&position)?;
        self.sending.remove(&position);
        self.due.remove(&(event.due_at, position));
        let of_message = self.of_message.get_mut(&event.order_key)?;
        of_message.remove(&position);
        match of_message.first().copied() {
            Some(next) if !self.sending.contains(&next) => {
                self.due.extend(self.waiting.get(&next).map(|next| (next.due_at, next.position)));
            }
            Some(_) => {}
            None => drop(self.of_message.remove(&event.order_key)),
        }
        Some(event)
    }

    fn take_from_due(&mut self, position: Position) {
        if let Some(event) = self.waiting.get(&position) {
            self.due.remove(&(event.due_at, position));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Queue;
    use crate::domain::{Position, Timestamp};
    use crate::store::forward::UnacceptedEvent;

    fn event(position: Position, message: u8, due_at: i64) -> UnacceptedEvent {
        UnacceptedEvent {
            position,
            order_key: [message; 16],
            attempts: 0,
            first_attempt_at: None,
            due_at: Timestamp::from_micros(due_at),
            last_answer: None,
            failed_at: None,
        }
    }

    fn take(queue: &mut Queue, now: i64) -> Option<Position> {
        queue.take(Timestamp::from_micros(now))
    }

    #[test]
    fn an_event_waits_for_the_earlier_one_of_its_message_and_for_no_other() {
        let mut queue = Queue::default();
        for (position, message) in [(1, b'a'), (2, b'a'), (3, b'b')] {
            queue.insert(event(position, message, 0));
        }
        assert_eq!([take(&mut queue, 0), take(&mut queue, 0)], [Some(1), Some(3)]);
        assert_eq!(take(&mut queue, 0), None);
        queue.remove(1);
        assert_eq!(take(&mut queue, 0), Some(2));
    }

    #[test]
    fn an_event_that_is_tried_again_later_holds_up_its_message_only() {
        let mut queue = Queue::default();
        for (position, message) in [(1, b'a'), (2, b'a'), (3, b'b')] {
            queue.insert(event(position, message, 0));
        }
        let first = take(&mut queue, 0).and_then(|position| queue.remove(position)).unwrap();
        queue.insert(UnacceptedEvent { due_at: Timestamp::from_micros(9), ..first });
        assert_eq!([take(&mut queue, 8), take(&mut queue, 8)], [Some(3), None]);
        assert_eq!(take(&mut queue, 9), Some(1));
    }

    #[derive(Debug, Clone)]
    enum Act {
        Insert {
            message: u8,
            due_at: i64,
        },
        Take {
            now: i64,
        },
        /// The outcome of one of the attempts that are under way.
        Answer {
            which: usize,
            again_at: Option<i64>,
        },
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            (0..4_u8, 0..20_i64).prop_map(|(message, due_at)| Act::Insert { message, due_at }),
            (0..20_i64).prop_map(|now| Act::Take { now }),
            (any::<usize>(), proptest::option::of(0..20_i64))
                .prop_map(|(which, again_at)| Act::Answer { which, again_at }),
        ];
        proptest::collection::vec(act, 0..200)
    }

    proptest! {
        #[test]
        fn every_event_is_accepted_once_and_those_of_a_message_in_order(acts in acts()) {
            let (mut queue, mut sending) = (Queue::default(), Vec::new());
            let (mut inserted, mut accepted) = (0, Vec::new());
            let drain = [Act::Take { now: 20 }, Act::Answer { which: 0, again_at: None }];
            let drain = std::iter::repeat_n(drain, acts.len()).flatten();
            for act in acts.into_iter().chain(drain) {
                match act {
                    Act::Insert { message, due_at } => {
                        inserted += 1;
                        queue.insert(event(inserted, message, due_at));
                    }
                    Act::Take { now } => {
                        sending.extend(queue.take(Timestamp::from_micros(now)));
                    }
                    Act::Answer { .. } if sending.is_empty() => {}
                    Act::Answer { which, again_at } => {
                        let position = sending.remove(which % sending.len());
                        let event = queue.remove(position).expect("it is being sent");
                        match again_at {
                            Some(at) => queue.insert(UnacceptedEvent {
                                due_at: Timestamp::from_micros(at),
                                ..event
                            }),
                            None => accepted.push((event.order_key, position)),
                        }
                    }
                }
            }
            prop_assert!(queue.is_empty() && queue.of_message.is_empty() && queue.due.is_empty());
            prop_assert_eq!(accepted.len() as u64, inserted);
            for message in 0..4 {
                let of_message = accepted.iter().filter(|(key, _)| *key == [message; 16]);
                prop_assert!(of_message.map(|(_, position)| position).is_sorted());
            }
        }
    }
}
