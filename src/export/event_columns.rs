//! The columns of events. As in the JSON, `body` or `body_base64` is empty; `message`, `content` and
//! `erased_by` are empty unless the event is erased. The last six are what the event reports of its message.

use std::borrow::Cow;

use serde::Serialize;

use super::cell::Cell;
use super::columns::ColumnKind::{Integer, Json, Tags, Text, Time};
use super::columns::{Column, ColumnKind, OfEvent};
use crate::wire::event::facts::EventFacts;
use crate::wire::message_texts::tag_pairs;
use crate::wire::{Body, ErasedEvent, Event, ShownEvent, WholeEvent};

/// A field that whole and erased events have.
macro_rules! of_either {
    ($event:expr, $field:ident) => {
        match &$event.event {
            Event::Whole(event) => &event.$field,
            Event::Erased(event) => &event.$field,
        }
    };
}

/// Every column.
pub const EVENTS: &[Column] = &[
    column("position", Integer, |event| Cell::Integer(*of_either!(event, position))),
    column("event_id", Text, |event| Cell::text(Some(of_either!(event, event_id).as_str()))),
    column("received_at", Time, |event| Cell::text(Some(of_either!(event, received_at).as_str()))),
    column("source", Text, |event| Cell::text(Some(*of_either!(event, source)))),
    column("method", Text, |event| Cell::text(whole(event).map(|event| &*event.method))),
    column("url", Text, |event| Cell::text(whole(event).map(|event| &*event.url))),
    column("headers", Json, |event| json(whole(event).map(|event| &event.headers))),
    column("body", Text, |event| match whole(event).map(|event| &event.body) {
        Some(Body::Body(text)) => Cell::text(Some(text)),
        _ => Cell::Empty,
    }),
    column("body_base64", Text, |event| match whole(event).map(|event| &event.body) {
        Some(Body::BodyBase64(text)) => Cell::text(Some(text)),
        _ => Cell::Empty,
    }),
    column("account_sid", Text, |event| {
        Cell::text(whole(event).and_then(|event| event.account_sid.as_deref()))
    }),
    column("message_sid", Text, |event| {
        Cell::text(whole(event).and_then(|event| event.message_sid.as_deref()))
    }),
    column("verified_by", Text, |event| Cell::text(of_either!(event, verified_by).as_deref())),
    column("notes", Json, |event| json(whole(event).map(|event| &event.notes))),
    column("salt", Text, |event| Cell::text(whole(event).and_then(|event| event.salt.as_deref()))),
    column("message", Text, |event| {
        Cell::text(erased(event).and_then(|event| event.message.as_deref()))
    }),
    column("content", Text, |event| Cell::text(erased(event).map(|event| &*event.content))),
    column("erased_by", Integer, |event| Cell::integer(erased(event).map(|event| event.erased_by))),
    column("status", Text, |event| Cell::text(fact(event, |facts| facts.status.as_deref()))),
    column("error_code", Integer, |event| Cell::integer(fact(event, |facts| facts.error_code))),
    column("from", Text, |event| Cell::text(fact(event, |facts| facts.from.as_deref()))),
    column("to", Text, |event| Cell::text(fact(event, |facts| facts.to.as_deref()))),
    column("tags", Tags, |event| {
        let tags = event.facts.as_ref().map(|facts| tag_pairs(&facts.tags));
        tags.map_or(Cell::Empty, Cell::Tags)
    }),
    column("occurred_at", Time, |event| {
        Cell::text(fact(event, |facts| facts.occurred_at.as_deref()))
    }),
];

const fn column(name: &'static str, kind: ColumnKind, value: OfEvent) -> Column {
    Column::of_event(name, kind, value)
}

fn whole(event: &ShownEvent) -> Option<&WholeEvent> {
    match &event.event {
        Event::Whole(event) => Some(event),
        Event::Erased(_) => None,
    }
}

fn erased(event: &ShownEvent) -> Option<&ErasedEvent> {
    match &event.event {
        Event::Whole(_) => None,
        Event::Erased(event) => Some(event),
    }
}

fn fact<'r, T>(event: &'r ShownEvent, fact: impl Fn(&'r EventFacts) -> Option<T>) -> Option<T> {
    event.facts.as_ref().and_then(fact)
}

fn json(value: Option<&impl Serialize>) -> Cell<'_> {
    let json =
        value.map(|value| serde_json::to_string(value).expect("it has no other keys than texts"));
    json.map_or(Cell::Empty, |json| Cell::Text(Cow::Owned(json)))
}
