//! Events without a server: as they stand before the store has numbered them, and numbered by hand.

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use uuid::Uuid;

/// When the first event of a test arrives.
pub const FIRST_ARRIVAL: &str = "2026-01-02T03:04:05.000000Z";

/// A callback with the headers that Twilio usually sends. Signature and token are the test's.
pub fn event(body: impl Into<Vec<u8>>) -> NewEvent {
    NewEvent {
        event_id: Uuid::now_v7(),
        received_at: Timestamp::parse(FIRST_ARRIVAL).unwrap(),
        source: Source::Callback,
        method: "POST".to_owned(),
        url: "https://hooks.example.com/message-status".to_owned(),
        headers: headers(&[
            ("content-type", "application/x-www-form-urlencoded; charset=UTF-8"),
            ("user-agent", "TwilioProxy/1.1"),
            ("x-home-region", "us1"),
        ]),
        body: body.into(),
        verified_by: Some("primary".to_owned()),
        notes: Default::default(),
    }
}

/// The same event with one more header.
pub fn with_header(event: NewEvent, name: &str, value: &str) -> NewEvent {
    let before = event.headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
    let headers = before.chain([(name.to_owned(), value.as_bytes().to_vec())]);
    NewEvent { headers: Headers::new(headers), ..event }
}

/// The same event as a simulation sends it.
pub fn simulated(event: NewEvent) -> NewEvent {
    let sent = event.headers.iter().filter(|(name, _)| *name != "user-agent");
    let sent: Vec<_> = sent.map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    let headers = Headers::new(sent);
    with_header(NewEvent { headers, ..event }, "user-agent", "delivery-ledger-simulate/0.1.0")
}

/// The same event with an idempotency token.
pub fn with_token(event: NewEvent, token: &str) -> NewEvent {
    with_header(event, "i-twilio-idempotency-token", token)
}

/// The same event with a query behind its URL.
pub fn with_query(event: NewEvent, query: &str) -> NewEvent {
    NewEvent { url: format!("{}?{query}", event.url), ..event }
}

/// Twilio's Message resource, as our own requests bring it.
pub fn resource(source: Source, json: serde_json::Value) -> NewEvent {
    let headers = headers(&[("content-type", "application/json")]);
    NewEvent { source, headers, ..event(json.to_string()) }
}

/// Headers of text.
pub fn headers(headers: &[(&str, &str)]) -> Headers {
    let owned = |(name, value): &(&str, &str)| (name.to_string(), value.as_bytes().to_vec());
    Headers::new(headers.iter().map(owned))
}

/// The events with one second between each and the next.
pub fn one_a_second(events: impl IntoIterator<Item = NewEvent>) -> Vec<NewEvent> {
    let first = Timestamp::parse(FIRST_ARRIVAL).unwrap().micros();
    let at = |second: i64| Timestamp::from_micros(first + second * 1_000_000);
    let events = events.into_iter().zip(0..);
    events.map(|(event, second)| NewEvent { received_at: at(second), ..event }).collect()
}

/// The events as a log would number them, one a second.
pub fn recorded(events: impl IntoIterator<Item = NewEvent>) -> Vec<RecordedEvent> {
    let events = one_a_second(events).into_iter().zip(1..);
    events.map(|(event, position)| RecordedEvent { position, event }).collect()
}
