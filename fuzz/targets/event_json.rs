//! An event with any body and header bytes is one line of JSON, and survives the round trip.
//! The input is cut at its first zero byte.
#![no_main]

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::domain::event::{Headers, Salt};
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use delivery_ledger::wire::Event;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use uuid::Uuid;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (header, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let event = NewEvent {
        event_id: Uuid::nil(),
        received_at: Timestamp::from_micros(0),
        source: Source::Callback,
        method: "POST".to_owned(),
        url: String::from_utf8_lossy(header).into_owned(),
        headers: Headers::new([("x-twilio-signature".to_owned(), header.to_vec())]),
        body: body.to_vec(),
        verified_by: None,
        notes: BTreeMap::new(),
        salt: Salt::from_bytes([7; Salt::BYTES]),
    };
    let event = RecordedEvent::new(1, event);
    let line = serde_json::to_string(&Event::new(event, None, None)).unwrap();
    assert!(!line.contains('\n'));
    let json: Value = serde_json::from_str(&line).unwrap();
    let read = |text: &Value, base64: &Value| match text.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(base64.as_str().unwrap()).unwrap(),
    };
    let value = &json["headers"][0][1];
    assert_eq!(read(value, &value["base64"]), header);
    assert_eq!(read(&json["body"], &json["body_base64"]), body);
});
