//! Parses any event, as a form, as JSON or as neither; the first byte selects which.
#![no_main]

use std::collections::BTreeMap;

use delivery_ledger::domain::digest::Digester;
use delivery_ledger::domain::event::{Headers, Salt};
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use delivery_ledger::twilio::callback::ParsedCallback;
use delivery_ledger::twilio::event_sids::EventSids;
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, body)) = bytes.split_first() else { return };
    let media_types = ["application/x-www-form-urlencoded", "application/json", "text/plain", ""];
    let media_type = media_types[usize::from(choice % 4)];
    let event = NewEvent {
        event_id: Uuid::nil(),
        received_at: Timestamp::from_micros(0),
        source: Source::ALL[usize::from(choice / 4) % Source::ALL.len()],
        method: "POST".to_owned(),
        url: "https://hooks.example.com/?a=1".to_owned(),
        headers: Headers::new([("content-type".to_owned(), media_type.into())]),
        body: body.to_vec(),
        verified_by: None,
        notes: BTreeMap::new(),
        salt: Salt::from_bytes([7; Salt::BYTES]),
    };
    let reading = ParsedCallback::parse(&event);
    assert!(reading.account_sid.as_ref().is_none_or(|sid| !sid.to_string().is_empty()));
    assert!(reading.message_key().is_none() || reading.message_sid.is_some());
    assert!(reading.reported.is_none() || reading.message_key().is_some());
    let sids = EventSids::parse(&event);
    assert_eq!(sids.account_sid, reading.account_sid);
    assert_eq!(sids.message_sid, reading.message_sid);
    Digester::default().digest(&RecordedEvent::new(1, event.clone()), sids.as_sids());
});
