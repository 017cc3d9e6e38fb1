//! The events of a message that are shown: the one that decides, and those that have an address
//! which it lacks. Which they are depends on the set of events alone, never on their order.

use std::cmp::Ordering;

use crate::domain::event::Position;
use crate::domain::message::status_reported::{Addressing, Doubt};
use crate::domain::{ErrorCode, Rule, Status};

/// Compares the (query, body) of the events at two positions.
pub type TieBreak<'a, E> = &'a mut dyn FnMut(Position, Position) -> Result<Ordering, E>;

/// An event that is shown: it has the status shown, or an address that those above it lack. Of
/// several with one status the one with the smallest (doubt, error code, query, body) goes first,
/// so that it does not depend on which came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidingEvent {
    pub position: Position,
    pub status: Option<Status>,
    pub doubt: Doubt,
    pub error_code: Option<ErrorCode>,
    pub addressed: Addressing,
}

/// Takes an event in where it ranks, if it decides or has what those above it lack.
///
/// `lower` are the events below the deciding one, highest first, each with what all above it lack
/// and nothing else. The error is that of `by_content`.
pub fn insert<E>(
    deciding: &mut Option<DecidingEvent>,
    lower: &mut Vec<DecidingEvent>,
    event: DecidingEvent,
    rule: Rule,
    by_content: TieBreak<'_, E>,
) -> Result<(), E> {
    let Some(first) = deciding else {
        *deciding = Some(event);
        return Ok(());
    };
    if event.outranks(first, rule, by_content)? {
        let before = std::mem::replace(first, event);
        if before.addressed.has_fields_missing_in(&first.addressed) {
            lower.insert(0, before);
        }
    } else if event.position != first.position
        && event.addressed.has_fields_missing_in(&first.addressed)
    {
        match insertion_index(lower, &event, rule, by_content)? {
            Some(place) => lower.insert(place, event),
            None => return Ok(()),
        }
    }
    if !lower.is_empty() {
        remove_redundant_fields(&first.addressed, lower);
    }
    Ok(())
}

/// Where an event goes among those that are ranked already; `None` if it is one of them.
fn insertion_index<E>(
    ranked: &[DecidingEvent],
    event: &DecidingEvent,
    rule: Rule,
    by_content: TieBreak<'_, E>,
) -> Result<Option<usize>, E> {
    if ranked.iter().any(|other| other.position == event.position) {
        return Ok(None);
    }
    for (place, other) in ranked.iter().enumerate() {
        if event.outranks(other, rule, by_content)? {
            return Ok(Some(place));
        }
    }
    Ok(Some(ranked.len()))
}

fn remove_redundant_fields(first: &Addressing, lower: &mut Vec<DecidingEvent>) {
    for at in 0..lower.len() {
        let (above, rest) = lower.split_at_mut(at);
        let addressed = &mut rest[0].addressed;
        addressed.remove_fields_of(first);
        above.iter().for_each(|above| addressed.remove_fields_of(&above.addressed));
    }
    lower.retain(|event| !event.addressed.is_empty());
}

impl DecidingEvent {
    /// Whether this event is shown rather than the other one: a rule of the two alone, which is
    /// total, so that the order of arrival plays no part.
    fn outranks<E>(
        &self,
        other: &Self,
        rule: Rule,
        by_content: TieBreak<'_, E>,
    ) -> Result<bool, E> {
        let higher = rule.rank(other.status).cmp(&rule.rank(self.status));
        let doubt = higher.then_with(|| self.doubt.cmp(&other.doubt));
        let ordering = match doubt.then_with(|| self.error_code.cmp(&other.error_code)) {
            Ordering::Equal if self.position != other.position => {
                let smaller = by_content(self.position, other.position)?;
                // Equal contents tell the same; the lower position keeps the outcome fixed.
                smaller.then_with(|| self.position.cmp(&other.position))
            }
            decided => decided,
        };
        Ok(ordering == Ordering::Less)
    }
}
