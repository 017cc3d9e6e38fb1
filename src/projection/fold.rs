//! The fold of one message for queries: its lifecycle, and the effect of each of its events. Views are
//! filled by `batch::prepare`.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use super::batch::prepare::content;
use crate::domain::digest::fingerprint;
use crate::domain::message::lifecycle::Incoming;
use crate::domain::message::status_change::StatusChange;
use crate::domain::message::status_reported::Label;
use crate::domain::{Effect, Lifecycle, MessageKey, Position, RecordedEvent, Rule, StatusReported};
use crate::twilio::callback::{ParsedCallback, repeats_a_parameter};
use crate::twilio::signature::SIGNATURE_HEADER;

/// One message with its timeline.
#[derive(Debug, Clone)]
pub struct Folded {
    /// The account and SID of the message.
    pub key: MessageKey,
    /// Its state after these events.
    pub lifecycle: Lifecycle,
    /// Its events, in order of position.
    pub timeline: Vec<Entry>,
}

/// One event of a timeline.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The event of the log.
    pub event: RecordedEvent,
    /// The facts that it reports.
    pub reported: StatusReported,
    /// Its effect on the message.
    pub effect: Effect,
    /// Its effect on the message's status.
    pub change: StatusChange,
}

/// Folds the events of one message, given in the order of their positions.
/// Events that report nothing of a message are ignored; `None` if no other events are left.
pub fn fold(rule: Rule, key: &MessageKey, events: Vec<RecordedEvent>) -> Option<Folded> {
    let telling = |event: RecordedEvent| Some((ParsedCallback::parse(&event).reported?, event));
    let events: Vec<_> = events.into_iter().filter_map(telling).collect();
    let mut lifecycle = Lifecycle::new(rule, events.first()?.1.received_at);
    let mut timeline: Vec<Entry> = Vec::with_capacity(events.len());
    for (reported, event) in events {
        let arrival = Incoming {
            position: event.position,
            received_at: event.received_at,
            fingerprint: fingerprint(&event, reported.cloud_event_id()),
            reported: reported.clone(),
        };
        let mut by_content = |a: Position, b: Position| {
            // One of the two is the current event. Without this check, searching for it would get slower
            // with each duplicate of a signed callback.
            let find = |position| match position == event.position {
                true => Some(content(&event)),
                false => {
                    let place = timeline.binary_search_by_key(&position, |at| at.event.position);
                    place.ok().map(|place| content(&timeline[place].event))
                }
            };
            Ok::<_, Infallible>(find(a).cmp(&find(b)))
        };
        let effect = match lifecycle.apply(arrival, &mut by_content) {
            Ok(effect) => effect,
            Err(never) => match never {},
        };
        let before = timeline.last().map(|entry: &Entry| entry.change.after());
        let change = StatusChange::new(before, lifecycle.evidence.status());
        timeline.push(Entry { event, reported, effect, change });
    }
    label(&mut timeline);
    Some(Folded { key: key.clone(), lifecycle, timeline })
}

/// Adds the labels that only a timeline has: they are slow to find, or depend on several events.
fn label(timeline: &mut [Entry]) {
    let reused = reused_signatures(timeline);
    for entry in timeline {
        if repeats_a_parameter(&entry.event) {
            add_label(entry, Label::RepeatedParameter);
        }
        // Every event with that signature: none proves to be the one that Twilio sent.
        if signature(entry).is_some_and(|signature| reused.contains(signature)) {
            add_label(entry, Label::ReusedSignature);
        }
    }
}

/// Signatures that came with different queries or bodies.
fn reused_signatures(timeline: &[Entry]) -> HashSet<Vec<u8>> {
    let mut first = HashMap::new();
    let signed =
        timeline.iter().filter_map(|entry| Some((signature(entry)?, content(&entry.event))));
    let reused = signed
        .filter(|(signature, content)| *first.entry(*signature).or_insert(*content) != *content);
    reused.map(|(signature, _)| signature.to_vec()).collect()
}

fn signature(entry: &Entry) -> Option<&[u8]> {
    entry.event.headers.get(SIGNATURE_HEADER)
}

fn add_label(entry: &mut Entry, label: Label) {
    if !entry.reported.labels.contains(&label) {
        entry.reported.labels.push(label);
    }
}
