//! The effects of events that are read one after another, for a list of events of many messages. The
//! views' index has the earlier events of a message, so that none of them is read again.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::message_query::TAIL_EVENTS_MAX;
use crate::domain::digest::event_ref;
use crate::domain::message::effect::effect_after;
use crate::domain::message::lifecycle::EventRef;
use crate::domain::{AccountSid, Effect, MessageKey, MessageSid, Position, RecordedEvent};
use crate::store::{Store, StoreError, for_each_event};
use crate::twilio::callback::ParsedCallback;

/// Finds the effects of events, which are passed to it in order of position.
///
/// Each effect costs one search in the views' index. Events that the views have not read yet are
/// remembered, up to [`TAIL_EVENTS_MAX`] of them.
#[derive(Debug)]
pub struct Effects {
    recent: HashMap<MessageKey, Vec<EventRef>>,
    /// The number of events in `recent`.
    count: u64,
    /// `recent` has every event after this position, up to the last one that was passed.
    after: Position,
}

impl Effects {
    /// The first event to be passed is the one after this position.
    pub fn new(after: Position) -> Self {
        Self { recent: HashMap::new(), count: 0, after }
    }

    /// Remembers an event. Every event has to be passed, even if its effect is not needed.
    pub fn pass(&mut self, event: &RecordedEvent, reading: &ParsedCallback<'_>) {
        if self.count >= TAIL_EVENTS_MAX {
            *self = Self::new(event.position - 1);
        }
        self.remember(event, reading);
    }

    /// The effect of an event that was passed. `None` if it says nothing about a message, or if the
    /// views are more than [`TAIL_EVENTS_MAX`] events behind it, or damaged.
    pub fn effect(
        &mut self,
        store: &dyn Store,
        event: &RecordedEvent,
        reading: &ParsedCallback<'_>,
    ) -> Result<Option<Effect>, StoreError> {
        let Some((key, this)) = reference(event, reading) else { return Ok(None) };
        let (checkpoint, messages) = match store.views().find(&key.message_sid) {
            Err(StoreError::DamagedViews { .. }) => return Ok(None),
            found => found?,
        };
        let read_up_to = checkpoint.position;
        if event.position.saturating_sub(read_up_to) > TAIL_EVENTS_MAX {
            return Ok(None);
        }
        self.reach_back_to(store, read_up_to)?;
        let message = messages.into_iter().find(|message| message.key == key);
        let mut earlier = message.map(|message| message.lifecycle.history).unwrap_or_default();
        let recent = self.recent.get(&key).into_iter().flatten();
        earlier.extend(recent.filter(|recent| recent.position > read_up_to).copied());
        earlier.retain(|earlier| earlier.position < event.position);
        earlier.sort_unstable_by_key(|earlier| earlier.position);
        Ok(Some(effect_after(&earlier, this)))
    }

    /// Reads the events after a position that were not passed: those before the first one, if the views
    /// had not read them either.
    fn reach_back_to(&mut self, store: &dyn Store, position: Position) -> Result<(), StoreError> {
        if position < self.after {
            let last = std::mem::replace(&mut self.after, position);
            for_each_event(store, position + 1..=last, &mut |event| {
                self.remember(event, &ParsedCallback::parse(event));
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }

    fn remember(&mut self, event: &RecordedEvent, reading: &ParsedCallback<'_>) {
        if let Some((key, this)) = reference(event, reading) {
            self.recent.entry(key).or_default().push(this);
            self.count += 1;
        }
    }
}

/// An event as its message refers to it; `None` if it says nothing about a message.
fn reference(
    event: &RecordedEvent,
    reading: &ParsedCallback<'_>,
) -> Option<(MessageKey, EventRef)> {
    let reported = reading.reported.as_ref()?;
    let key = MessageKey {
        account_sid: reading.account_sid.as_deref().and_then(AccountSid::parse),
        message_sid: MessageSid::parse(reading.message_sid.as_deref()?)?,
    };
    Some((key, event_ref(event, reported)))
}
