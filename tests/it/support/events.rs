//! Events built without a server: new events, and recorded events with positions assigned here.

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use delivery_ledger::store;
use uuid::Uuid;

/// The arrival time of a test's first event.
pub const FIRST_ARRIVAL: &str = "2026-01-02T03:04:05.000000Z";

/// A callback with the headers that Twilio usually sends, but no signature and no idempotency token.
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
        salt: store::new_salt(),
    }
}

/// Adds a header to an event.
pub fn with_header(event: NewEvent, name: &str, value: &str) -> NewEvent {
    let before = event.headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
    let headers = before.chain([(name.to_owned(), value.as_bytes().to_vec())]);
    NewEvent { headers: Headers::new(headers), ..event }
}

/// Changes an event's User-Agent to that of `simulate`.
pub fn simulated(event: NewEvent) -> NewEvent {
    let sent = event.headers.iter().filter(|(name, _)| *name != "user-agent");
    let sent: Vec<_> = sent.map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    let headers = Headers::new(sent);
    with_header(NewEvent { headers, ..event }, "user-agent", "delivery-ledger-simulate/0.1.0")
}

/// Adds an idempotency token to an event.
pub fn with_token(event: NewEvent, token: &str) -> NewEvent {
    with_header(event, "i-twilio-idempotency-token", token)
}

/// Adds a query to an event's URL.
pub fn with_query(event: NewEvent, query: &str) -> NewEvent {
    NewEvent { url: format!("{}?{query}", event.url), ..event }
}

/// A callback with a JSON body.
pub fn json_callback(body: &serde_json::Value) -> NewEvent {
    NewEvent {
        headers: headers(&[("content-type", "application/json")]),
        ..event(body.to_string())
    }
}

/// The CloudEvent of an error that Twilio has logged about a webhook request.
pub fn error_logged(id: &str, code: u32, url: &str, at: Timestamp) -> NewEvent {
    json_callback(&serde_json::json!({
        "specversion": "1.0",
        "type": "com.twilio.error-logs.error.logged",
        "source": "AB00000000000000000000000001",
        "id": id,
        "time": at.to_string(),
        "dataschema": "https://events-schemas.twilio.com/ErrorLogs.Error/2",
        "data": {
            "sid": id,
            "account_sid": super::ACCOUNT,
            "level": "ERROR",
            "error_code": code.to_string(),
            "webhook": {
                "request": { "url": url, "method": "POST" },
                "response": { "status_code": 502 },
            },
        },
    }))
}

/// An event with Twilio's Message resource, as Twilio's API returns it.
pub fn resource(source: Source, json: serde_json::Value) -> NewEvent {
    let headers = headers(&[("content-type", "application/json")]);
    NewEvent { source, headers, ..event(json.to_string()) }
}

/// Headers with these names and values.
pub fn headers(headers: &[(&str, &str)]) -> Headers {
    let owned = |(name, value): &(&str, &str)| (name.to_string(), value.as_bytes().to_vec());
    Headers::new(headers.iter().map(owned))
}

/// Sets the events' arrival times one second apart.
pub fn one_a_second(events: impl IntoIterator<Item = NewEvent>) -> Vec<NewEvent> {
    let first = Timestamp::parse(FIRST_ARRIVAL).unwrap().micros();
    let at = |second: i64| Timestamp::from_micros(first + second * 1_000_000);
    let events = events.into_iter().zip(0..);
    events.map(|(event, second)| NewEvent { received_at: at(second), ..event }).collect()
}

/// Numbers the events as a log does, one second apart.
pub fn recorded(events: impl IntoIterator<Item = NewEvent>) -> Vec<RecordedEvent> {
    let events = one_a_second(events).into_iter().zip(1..);
    events.map(|(event, position)| RecordedEvent::new(position, event)).collect()
}
