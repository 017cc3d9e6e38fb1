//! Erases a selection, in transactions that each append an erasure of their own.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde_json::json;
use uuid::Uuid;

use super::EraseError;
use super::select::{Group, Selection};
use crate::domain::digest::Digester;
use crate::domain::event::Headers;
use crate::domain::hash::Hash;
use crate::domain::{NewEvent, Position, RecordedEvent, Source, Timestamp};
use crate::store::erase::{ERASED_EVENTS_MAX, ErasedEvent};
use crate::store::{Store, StoreError, new_salt, when_free};
use crate::twilio::event_sids::EventSids;

/// One transaction: an erasure, and the events that it erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The position of the erasure.
    pub position: Position,
    /// The ids of the events, in the order of their positions.
    pub events: Vec<Uuid>,
    /// The number of messages.
    pub messages: u64,
}

/// Erases a selection; `each` is called after each transaction and may stop. A kill in between leaves whole
/// messages, erased or not, and an erasure for each that is; of a message with more events than a transaction
/// may erase, those that match are erased last, so that the rest is found again.
pub fn commit(
    store: &dyn Store,
    selection: &Selection,
    request: &str,
    now: &dyn Fn() -> Timestamp,
    each: &mut dyn FnMut(Erasure) -> ControlFlow<()>,
) -> Result<(), EraseError> {
    for keys in selection.groups.chunks(ERASED_EVENTS_MAX) {
        let keys: Vec<_> = keys.iter().flat_map(|group| group.keys.iter().cloned()).collect();
        store.erasing().forget_claims(&keys)?;
    }
    let transactions = transactions(&selection.groups);
    let last = transactions.len().saturating_sub(1);
    for (place, mut positions) in transactions.into_iter().enumerate() {
        positions.sort_unstable();
        let (erased, ids) = read(store, &positions)?;
        let unused =
            (place == last).then(|| store.erasing().unused_envelopes(&positions)).transpose()?;
        let messages: BTreeSet<Hash> = erased.iter().map(|event| event.message).collect();
        let messages = messages.iter().filter(|hash| **hash != Hash::default()).count() as u64;
        let erasure = erasure(&positions, messages, request, now());
        let position =
            when_free(&mut || store.erasing().erase(&erasure, &erased, unused.as_ref()))?;
        if each(Erasure { position, events: ids, messages }).is_break() {
            return Err(EraseError::Stopped);
        }
    }
    Ok(())
}

/// The positions of each transaction. No group is divided unless it is larger than one.
fn transactions(groups: &[Group]) -> Vec<Vec<Position>> {
    let mut transactions: Vec<Vec<Position>> = Vec::new();
    for group in groups {
        let mut events = group.events.clone();
        // Of what matches, the first is erased last.
        events.sort_by_key(|(position, matches)| (*matches, std::cmp::Reverse(*position)));
        let positions: Vec<_> = events.into_iter().map(|(position, _)| position).collect();
        match transactions.last_mut() {
            Some(last) if last.len() + positions.len() <= ERASED_EVENTS_MAX => {
                last.extend(positions);
            }
            _ => transactions.extend(positions.chunks(ERASED_EVENTS_MAX).map(<[_]>::to_vec)),
        }
    }
    transactions
}

/// What remains of the events at these positions, and their ids.
fn read(
    store: &dyn Store,
    positions: &[Position],
) -> Result<(Vec<ErasedEvent>, Vec<Uuid>), StoreError> {
    let mut digester = Digester::default();
    let (mut erased, mut ids) = (Vec::new(), Vec::new());
    for some in positions.chunks(64) {
        for event in store.read_at(some)? {
            ids.push(event.event_id);
            erased.push(remains(&event, &mut digester));
        }
    }
    Ok((erased, ids))
}

fn remains(event: &RecordedEvent, digester: &mut Digester) -> ErasedEvent {
    let sids = EventSids::parse(event);
    ErasedEvent {
        position: event.position,
        source: event.source,
        verified_by: event.verified_by.clone(),
        message: digester.message(sids.as_sids()),
        content: digester.content(event),
    }
}

fn erasure(positions: &[Position], messages: u64, request: &str, now: Timestamp) -> NewEvent {
    let mut ranges: Vec<[Position; 2]> = Vec::new();
    for position in positions {
        match ranges.last_mut() {
            Some([_, last]) if *last + 1 == *position => *last = *position,
            _ => ranges.push([*position; 2]),
        }
    }
    let body = json!({ "erased": ranges, "messages": messages, "request": request });
    NewEvent {
        event_id: Uuid::now_v7(),
        received_at: now,
        source: Source::Erasure,
        method: String::new(),
        url: String::new(),
        headers: Headers::default(),
        body: body.to_string().into_bytes(),
        verified_by: None,
        notes: Default::default(),
        salt: new_salt(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ERASED_EVENTS_MAX, Group, transactions};
    use crate::domain::Position;

    fn group(events: impl IntoIterator<Item = (Position, bool)>) -> Group {
        Group { events: events.into_iter().collect(), ..Group::default() }
    }

    #[test]
    fn no_message_is_divided_unless_it_is_larger_than_a_transaction() {
        let half = |from: u64| group((from..from + 2000).map(|position| (position, true)));
        let lengths: Vec<_> =
            transactions(&[half(1), half(3000), half(6000)]).iter().map(Vec::len).collect();
        assert_eq!(lengths, [4000, 2000]);
    }

    /// So that what is left of it after a kill is found again.
    #[test]
    fn of_a_large_message_what_matches_is_erased_last() {
        let large = group((1..=5000).map(|position| (position, position == 7 || position == 9)));
        let all = transactions(&[large]);
        assert_eq!(all[0].len(), ERASED_EVENTS_MAX);
        assert_eq!(all[1].last_chunk(), Some(&[9, 7]));
    }
}
