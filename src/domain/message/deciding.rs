//! The selection of the events that determine what is shown of a message: the deciding event
//! supplies the status, and lower-ranked events supply addresses that it lacks. The result depends
//! only on the set of events, not on their order.

use std::cmp::Ordering;

use crate::domain::event::Position;
use crate::domain::message::status_reported::{Addressing, Doubt};
use crate::domain::{ErrorCode, Rule, Status};

/// Compares the (query, body) of the events at two positions.
pub type TieBreak<'a, E> = &'a mut dyn FnMut(Position, Position) -> Result<Ordering, E>;

/// An event that determines the status or an address that is shown.
///
/// Events are ranked by status; of several with the same status, the one with the smallest (doubt,
/// error code, query, body) ranks highest, so that the order of arrival does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidingEvent {
    /// The position of the event.
    pub position: Position,
    /// The status that it reports; `None` if it reports none of an outbound message.
    pub status: Option<Status>,
    /// How doubtful its facts are; a lesser doubt ranks higher.
    pub doubt: Doubt,
    /// The error code that it reports.
    pub error_code: Option<ErrorCode>,
    /// Sender, recipient and channel that it reports.
    pub addressed: Addressing,
}

/// Inserts an event by rank, if it becomes the deciding one or has an address that the events above
/// it lack.
///
/// `fallbacks` are the events below the deciding one, highest rank first. Each contains only the
/// fields that all events above it lack. Errors are those of `compare`.
pub fn insert<E>(
    deciding: &mut Option<DecidingEvent>,
    fallbacks: &mut Vec<DecidingEvent>,
    event: DecidingEvent,
    rule: Rule,
    compare: TieBreak<'_, E>,
) -> Result<(), E> {
    let Some(first) = deciding else {
        *deciding = Some(event);
        return Ok(());
    };
    if event.outranks(first, rule, compare)? {
        let previous = std::mem::replace(first, event);
        if previous.addressed.has_fields_missing_in(&first.addressed) {
            fallbacks.insert(0, previous);
        }
    } else if event.position != first.position
        && event.addressed.has_fields_missing_in(&first.addressed)
    {
        match insertion_index(fallbacks, &event, rule, compare)? {
            Some(index) => fallbacks.insert(index, event),
            None => return Ok(()),
        }
    }
    if !fallbacks.is_empty() {
        remove_redundant_fields(&first.addressed, fallbacks);
    }
    Ok(())
}

/// The index at which to insert an event; `None` if it is already contained.
fn insertion_index<E>(
    ranked: &[DecidingEvent],
    event: &DecidingEvent,
    rule: Rule,
    compare: TieBreak<'_, E>,
) -> Result<Option<usize>, E> {
    if ranked.iter().any(|other| other.position == event.position) {
        return Ok(None);
    }
    for (index, other) in ranked.iter().enumerate() {
        if event.outranks(other, rule, compare)? {
            return Ok(Some(index));
        }
    }
    Ok(Some(ranked.len()))
}

/// Removes every field that a higher-ranked event has, and events without any field left.
fn remove_redundant_fields(first: &Addressing, fallbacks: &mut Vec<DecidingEvent>) {
    for index in 0..fallbacks.len() {
        let (above, rest) = fallbacks.split_at_mut(index);
        let addressed = &mut rest[0].addressed;
        addressed.remove_fields_of(first);
        above.iter().for_each(|above| addressed.remove_fields_of(&above.addressed));
    }
    fallbacks.retain(|event| !event.addressed.is_empty());
}

impl DecidingEvent {
    /// True if this event ranks higher. This is a total order, independent of the order of arrival.
    fn outranks<E>(&self, other: &Self, rule: Rule, compare: TieBreak<'_, E>) -> Result<bool, E> {
        let by_status = rule.rank(other.status).cmp(&rule.rank(self.status));
        let by_doubt = by_status.then_with(|| self.doubt.cmp(&other.doubt));
        let ordering = match by_doubt.then_with(|| self.error_code.cmp(&other.error_code)) {
            Ordering::Equal if self.position != other.position => {
                let content = compare(self.position, other.position)?;
                // Events with equal contents are interchangeable; the position makes the choice stable.
                content.then_with(|| self.position.cmp(&other.position))
            }
            ordering => ordering,
        };
        Ok(ordering == Ordering::Less)
    }
}
