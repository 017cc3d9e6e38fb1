//! The effect of one event, from references to the events before it. It is the one that a timeline has,
//! without reading the events again.

use super::event_ref::{Effect, EventRef};
use super::lifecycle::Evidence;
use crate::domain::{Rule, Timestamp};

/// The effect of an event on its message, given the message's earlier events in order of position.
pub fn effect_after(earlier: &[EventRef], event: EventRef) -> Effect {
    if let Some(same) = earlier.iter().find(|earlier| earlier.fingerprint == event.fingerprint) {
        return Effect::Duplicate(same.position);
    }
    // Neither the rule nor the times matter: effects depend on which statuses were reported before.
    let mut evidence = Evidence::new(Rule::default());
    for status in earlier.iter().filter_map(|earlier| earlier.status) {
        evidence.status_times.record(status, Timestamp::from_micros(0));
    }
    evidence.effect_of(event.subject, event.status)
}
