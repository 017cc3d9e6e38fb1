//! The digests of events, compared with values that a separate implementation made, and pinned for bodies
//! from which SIDs are hard to read: their digests must never change.

use delivery_ledger::domain::digest::Digester;
use delivery_ledger::domain::event::{Headers, Salt};
use delivery_ledger::domain::hash::hex;
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source};
use delivery_ledger::twilio::callback::ParsedCallback;
use delivery_ledger::twilio::event_sids::EventSids;
use delivery_ledger::wire;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::vectors::{VECTORS, recorded_event, unhex};
use crate::support::events::event;

/// Bodies with the SIDs and the digest that belong to them.
const ODD_BODIES: &str = include_str!("../../data/odd_body_digests.json");

#[test]
fn the_events_of_the_vectors_have_their_entries_and_digests() {
    let digests = VECTORS["digests"].as_array().unwrap();
    assert_eq!(digests.len(), 33);
    for (event, expected) in VECTORS["events"].as_array().unwrap().iter().zip(digests) {
        let recorded = recorded_event(event);
        let sids = EventSids::parse(&recorded);
        assert_eq!(json!(sids.account_sid), event["account_sid"], "{event}");
        assert_eq!(json!(sids.message_sid), event["message_sid"], "{event}");
        let mut digester = Digester::default();
        assert_eq!(hex(&digester.message(sids.as_sids())), expected["message"], "{event}");
        assert_eq!(hex(&digester.content(&recorded)), expected["content"], "{event}");
        assert_eq!(hex(&digester.entry(&recorded, sids.as_sids())), expected["entry"], "{event}");
        assert_eq!(hex(&digester.digest(&recorded, sids.as_sids())), expected["digest"], "{event}");
    }
}

#[test]
fn an_erased_event_has_the_digest_that_it_had_before() {
    let digests = VECTORS["digests"].as_array().unwrap();
    for erased in VECTORS["erased"].as_array().unwrap() {
        let recorded = recorded_event(erased);
        let sids = EventSids::parse(&recorded);
        let digest = Digester::default().digest(&recorded, sids.as_sids());
        assert_eq!(hex(&digest), digests[recorded.position as usize - 1]["digest"], "{erased}");
    }
}

#[test]
fn an_event_is_shown_with_exactly_the_members_of_the_vectors() {
    let (whole, erased) = (VECTORS["events"].as_array(), VECTORS["erased"].as_array());
    for event in whole.unwrap().iter().chain(erased.unwrap()) {
        let recorded = recorded_event(event);
        let EventSids { account_sid, message_sid } = EventSids::parse(&recorded);
        let owned = |sid: Option<std::borrow::Cow<'_, str>>| sid.map(|sid| sid.into_owned());
        let (account_sid, message_sid) = (owned(account_sid), owned(message_sid));
        let shown = wire::Event::new(recorded, account_sid, message_sid);
        assert_eq!(serde_json::to_value(shown).unwrap(), *event);
    }
}

/// The digest of an event with fixed values besides its media type and body.
fn digest_of(media_type: &str, source: Source, body: Vec<u8>) -> (Value, Value, String) {
    let event = NewEvent {
        event_id: uuid::Uuid::from_u128(7),
        source,
        headers: Headers::new([("content-type".to_owned(), media_type.into())]),
        salt: Salt::from_bytes([7; Salt::BYTES]),
        ..event(body)
    };
    let sids = EventSids::parse(&event);
    let recorded = RecordedEvent::new(1, event.clone());
    let digest = hex(&Digester::default().digest(&recorded, sids.as_sids()));
    (json!(sids.account_sid), json!(sids.message_sid), digest)
}

#[test]
fn bodies_with_odd_sids_keep_their_digests() {
    let cases: Vec<Value> = serde_json::from_str(ODD_BODIES).unwrap();
    assert!(cases.len() > 30);
    let mut changed = Vec::new();
    for case in cases {
        let source = Source::parse(case["source"].as_str().unwrap()).unwrap();
        let body = unhex(case["body_hex"].as_str().unwrap());
        let (account_sid, message_sid, digest) =
            digest_of(case["media_type"].as_str().unwrap(), source, body);
        let found = json!([account_sid, message_sid, digest]);
        if found != json!([case["account_sid"], case["message_sid"], case["digest"]]) {
            changed.push(format!("{}: {found}", case["name"]));
        }
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

proptest! {
    #[test]
    fn the_sids_of_a_digest_are_those_of_the_lifecycle(
        pieces in proptest::collection::vec(
            prop_oneof![
                "(Account|Message|Sms|ChannelMessage)(Sid|%53id|sid)=(IM|SM|MM|%49M|)[0-9a-f%+]{0,6}",
                ".{0,12}",
            ],
            0..8,
        ),
        is_json in any::<bool>(),
    ) {
        let media_type = if is_json { "application/json" } else { "application/x-www-form-urlencoded" };
        let body = match is_json {
            true => json!(
                pieces.iter().filter_map(|piece| piece.split_once('=')).collect::<std::collections::BTreeMap<_, _>>()
            ).to_string(),
            false => pieces.join("&"),
        };
        for source in Source::ALL {
            let headers = Headers::new([("content-type".to_owned(), media_type.into())]);
            let event = NewEvent { source, headers, ..event(body.clone()) };
            let (sids, parsed) = (EventSids::parse(&event), ParsedCallback::parse(&event));
            prop_assert_eq!(sids.account_sid, parsed.account_sid);
            prop_assert_eq!(sids.message_sid, parsed.message_sid);
        }
    }
}
