//! Masking: a reader who may not see addresses sees no phone number, however and wherever it is written.

mod readings;
mod responses;
mod spelled;

use std::borrow::Cow;

use delivery_ledger::domain::{NewEvent, RecordedEvent, Rule};
use delivery_ledger::projection::fold::fold;
use delivery_ledger::twilio::callback::ParsedCallback;
use delivery_ledger::twilio::failure_texts;
use delivery_ledger::wire::{self, mask};
use proptest::prelude::*;

use crate::support::events::{event, recorded, with_header, with_query, with_token};
use crate::support::{ACCOUNT, delivered, sid};
use readings::reveals;
use spelled::{ESCAPES, PLACES, number};

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn masked_events_and_messages_reveal_no_number(
        number in number(),
        escape in 0..ESCAPES.len(),
        place in 0..PLACES.len(),
    ) {
        let event = PLACES[place](&sid(1), &ESCAPES[escape](&number.written));
        let [event] = <[RecordedEvent; 1]>::try_from(recorded([event])).unwrap();

        let shown = serde_json::to_string(&masked(&event)).unwrap();
        prop_assert!(!reveals(shown.as_bytes(), &number.digits), "place {}: {}", place, shown);

        if let Some(message) = masked_message(&event) {
            let shown = serde_json::to_string(&message).unwrap();
            prop_assert!(!reveals(shown.as_bytes(), &number.digits), "place {}: {}", place, shown);
        }
    }
}

/// A control: the search finds the numbers in the same events without masking.
#[test]
fn the_search_finds_every_number_without_masking() {
    let everywhere = PLACES.map(|place| (place, ESCAPES[0]));
    let escaped = ESCAPES.map(|escape| (PLACES[0], escape));
    for (place, escape) in everywhere.into_iter().chain(escaped) {
        let event = recorded([place(&sid(1), &escape("+1555 8675-310 1234"))]).remove(0);
        let shown = serde_json::to_string(&wire::Event::new(event, None, None)).unwrap();
        assert!(reveals(shown.as_bytes(), "155586753101234"), "{shown}");
    }
}

#[test]
fn masking_leaves_other_text_readable() {
    let service = "MG0123456789abcdef0123456789abcdef";
    let body = delivered(&sid(7))
        .with("MessagingServiceSid", service)
        .with("ErrorCode", "30003")
        .with("At", "2026-01-31T12:00:00.123456Z")
        .with("Date", "Sat, 31 Jan 2026 12:00:00 +0000")
        .with("Trace", "01234567-0123-0123-0123-012345678901");
    let body = String::from_utf8(body.bytes()).unwrap();
    let event = with_query(event(body.clone()), "order=17&day=2026-01-31&batch=20260131");
    let event = with_token(event, "01234567-0123-0123-0123-012345678901");
    let event = recorded([event]).remove(0);

    let wire::Event::Whole(shown) = masked(&event) else { panic!("it is not erased") };
    let wire::Event::Whole(unmasked) = wire::Event::new(event.clone(), None, None) else {
        panic!("it is not erased")
    };

    assert_eq!((shown.salt, shown.masked), (None, true));
    let wire::Body::Body(shown_body) = &shown.body else { panic!("{:?}", shown.body) };
    let addresses = [("15558675310", "*******5310"), ("15017250604", "*******0604")];
    let expected = addresses.iter().fold(body, |body, (whole, masked)| body.replace(whole, masked));
    assert_eq!(*shown_body, expected);
    assert_eq!(shown.url, event.url);
    assert_eq!((shown.message_sid, shown.account_sid), (Some(sid(7)), Some(ACCOUNT.to_owned())));
    let shown_headers = serde_json::to_value(&shown.headers).unwrap();
    assert_eq!(shown_headers, serde_json::to_value(unmasked.headers).unwrap());

    let message = masked_message(&event).unwrap();
    assert_eq!(message.message_sid, sid(7));
    assert_eq!(message.messaging_service_sid.as_deref(), Some(service));
    assert_eq!(message.raw_dlr_done_date.as_deref(), Some("2511160837"));
    assert_eq!(message.to.as_deref(), Some("+*******5310"));
}

/// Six hidden digits can be found from a hash within a second.
#[test]
fn masking_removes_signatures_and_hashes() {
    const HASH: &str = "9023460dd0e5c2b6ff5ae52a3d5a5e1a4cbb1a1b3bfe5e1e0fb8a5dd6ab0c123";
    const SIGNATURE: &str = "L/OH5YylLD5NRKLltdqwSvS0BnU=";
    let upper = HASH.to_ascii_uppercase();
    let escaped = spelled::percent(HASH, true);
    let nested = spelled::percent(&format!("https://x.example/?bodySHA256={HASH}"), false);
    for query in [
        format!("bodySHA256={HASH}"),
        format!("order=17&bodysha256={upper}&x=1"),
        format!("body%53HA256={HASH}"),
        format!("%2562odySHA256={escaped}"),
        format!("bodySHA256={escaped}"),
        format!("url={nested}"),
        format!("url={}", spelled::percent(&nested, false)),
        format!("X-Twilio-Signature={SIGNATURE}"),
    ] {
        let event = with_query(event(r#"{"To":"+15558675310"}"#), &query);
        let event = with_header(event, "x-twilio-signature", SIGNATURE);
        let notes = [
            ("request_hash", HASH),
            ("idempotency_key", "order-17"),
            ("remark", &*format!("was /?bodySHA256={HASH}")),
            ("header", &*format!("X-Twilio-Signature: {SIGNATURE}")),
        ];
        let notes = notes.map(|(name, note)| (name.to_owned(), note.to_owned())).into();
        let event = recorded([NewEvent { notes, ..event }]).remove(0);
        let shown = serde_json::to_string(&masked(&event)).unwrap();
        for reading in readings::readings(shown.as_bytes()) {
            let reading = reading.to_ascii_lowercase();
            for hidden in [&HASH[..12], &HASH[40..], "order17\"", "loh5yyl", "dqwsvs0bnu"] {
                assert!(!reading.contains(hidden), "{query}: {shown}");
            }
        }
        assert!(!shown.contains("order-17"), "{shown}");
    }
}

fn masked(event: &RecordedEvent) -> wire::Event {
    let reading = ParsedCallback::parse(event);
    let owned = |sid: &Option<Cow<'_, str>>| sid.as_deref().map(str::to_owned);
    mask::recorded(event.clone(), owned(&reading.account_sid), owned(&reading.message_sid))
}

/// The message as the API shows it, with its timeline.
fn masked_message(event: &RecordedEvent) -> Option<wire::Message> {
    let key = ParsedCallback::parse(event).message_key()?;
    let folded = fold(Rule::default(), &key, vec![event.clone()])?;
    let timeline = folded.timeline.iter().map(|entry| {
        let event = RecordedEvent { event: mask::event(&entry.event), ..entry.event.clone() };
        let texts = failure_texts::parse(&event);
        wire::TimelineEntry::new(&event, texts, &entry.reported, entry.effect, entry.change)
    });
    let message = wire::Message::new(&key, &folded.lifecycle, 1, &Default::default())
        .with_timeline(&folded.lifecycle.evidence, timeline);
    Some(mask::message(message))
}
