//! A message's lifecycle: which facts decide its status, whatever order they arrive in.

mod any_event;
mod details;
mod facts;
mod kinds;
mod laws;
mod page;
mod rules;
mod splices;

pub use any_event::any_event;

use delivery_ledger::domain::{MessageKey, MessageSid, NewEvent, Rule};
use delivery_ledger::projection::fold::{Folded, fold};

use crate::support::events::{event, recorded};
use crate::support::{MessageBody, sid, status};

/// A callback about the one message of a test.
fn says(word: &str) -> MessageBody {
    status(&sid(1), word)
}

/// The events folded in the order given.
fn folded(rule: Rule, events: impl IntoIterator<Item = NewEvent>) -> Folded {
    let message_sid = MessageSid::parse(&sid(1)).unwrap();
    let key = MessageKey { account_sid: None, message_sid };
    fold(rule, &key, recorded(events)).expect("at least one event is folded")
}

/// The callbacks folded by the default rule.
fn reported(bodies: impl IntoIterator<Item = MessageBody>) -> Folded {
    folded(Rule::default(), bodies.into_iter().map(event))
}

/// The status shown, or `unknown`.
fn status_of(folded: &Folded) -> &'static str {
    folded.lifecycle.evidence.status().map_or("unknown", |status| status.name())
}
