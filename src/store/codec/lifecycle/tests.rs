//! Tests of the encoding of lifecycles.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::carrier::Carrier;
use crate::domain::message::click::Click;
use crate::domain::message::details::{Details, FeedbackOutcome, KnownDetails, RankedCarrier};
use crate::domain::message::event_ref::{EventRef, Fingerprint, Subject};
use crate::domain::message::kinds::EventKinds;
use crate::domain::message::lifecycle::DecidingEvent;
use crate::domain::message::status_reported::{Addressing, Doubt};
use crate::domain::message::tags::Tags;
use crate::domain::price::{Amount, Currency, Price};
use crate::domain::{AccountSid, MessageKey, MessageSid};

fn any_status() -> impl Strategy<Value = Option<Status>> {
    option::of(select(&Status::ALL[..]))
}

fn any_code() -> impl Strategy<Value = ErrorCode> {
    (1..1_000_000_000_u32).prop_map(|number| ErrorCode::from_number(number).unwrap())
}

fn any_deciding() -> impl Strategy<Value = DecidingEvent> {
    let text = || option::of(".{0,20}".prop_map(SmolStr::from));
    let doubt = (any::<bool>(), 0..4_usize, 0..16_usize);
    let doubt = doubt.prop_map(|(spliced, missing, unknown)| Doubt::new(spliced, missing, unknown));
    let texts = (text(), text(), (".{0,40}", any::<bool>()), text());
    (any::<u64>(), any_status(), doubt, option::of(any_code()), texts).prop_map(
        |(position, status, doubt, error_code, texts)| {
            let (from, to, (channel, channel_is_explicit), messaging_service_sid) = texts;
            let channel = channel.into();
            let addressed =
                Addressing { from, to, channel, channel_is_explicit, messaging_service_sid };
            DecidingEvent { position, status, doubt, error_code, addressed }
        },
    )
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let status_times = vec((select(&Status::ALL[..]), any_moment()), 0..5);
    let codes = vec((any_code(), any_status()), 0..4);
    let receipt = option::of((any_status(), ".{0,12}".prop_map(SmolStr::from)));
    let created_at = option::of(any_moment());
    let kinds = (any::<[bool; 6]>(), created_at).prop_map(|(kinds, created_at)| {
        let [outbound, inbound, real, imported, by_callback, by_stream] = kinds;
        EventKinds { outbound, inbound, real, imported, by_callback, by_stream, created_at }
    });
    let tags = vec((".{1,20}", ".{0,20}"), 0..6).prop_map(|pairs| {
        let mut tags = Tags::default();
        pairs.iter().for_each(|(name, value)| tags.insert(name, value));
        tags
    });
    let events = (any_deciding(), vec(any_deciding(), 0..3));
    let all = (events, status_times, codes, receipt, (kinds, tags, any_details()));
    all.prop_map(|((deciding, fallbacks), status_times, codes, receipt, others)| {
        let (kinds, tags, details) = others;
        Evidence {
            kinds,
            tags,
            details,
            rule: Rule::default(),
            status_times: status_times.into_iter().collect(),
            codes: codes.into_iter().collect(),
            deciding: Some(deciding),
            address_fallbacks: fallbacks,
            receipt: receipt
                .map(|(status, raw_dlr_done_date)| DeliveryReceipt { status, raw_dlr_done_date }),
        }
    })
}

fn any_details() -> impl Strategy<Value = Details> {
    let times = vec((select(&Status::ALL[..]), any_moment()), 0..3);
    let price = option::of((any::<i64>(), select(vec!["USD", "EUR"])));
    let carrier = option::of((any_status(), "[0-9]{3}", "[0-9]{2,3}"));
    let clicks = vec((option::of(any_moment()), any::<u64>(), any::<bool>()), 0..3);
    let feedback = option::of(select(&FeedbackOutcome::ALL[..]));
    let all = (times, option::of(any::<u32>()), price, carrier, clicks, feedback);
    all.prop_map(|(times, segments, price, carrier, clicks, feedback)| {
        let mut known = KnownDetails { segments, feedback, ..KnownDetails::default() };
        known.occurred_times = times.into_iter().collect();
        known.price = price.map(|(billionths, currency)| Price {
            amount: Amount::from_billionths(billionths),
            currency: Currency::parse(currency).unwrap(),
        });
        known.carrier = carrier.map(|(status, mcc, mnc)| RankedCarrier {
            status,
            carrier: Carrier::parse(&mcc, &mnc).unwrap(),
        });
        for (at, id, is_preview) in clicks {
            known.clicks.insert(Click { at, id, is_preview });
        }
        Details::from_known(known)
    })
}

fn any_moment() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn any_event_ref() -> impl Strategy<Value = EventRef> {
    let subject = select(vec![Subject::Status, Subject::Click, Subject::Feedback]);
    let all = (any::<u64>(), any::<u64>(), subject, any_status());
    all.prop_map(|(position, fingerprint, subject, status)| EventRef {
        position,
        fingerprint: Fingerprint::from_bits(fingerprint),
        subject,
        status: status.filter(|_| subject == Subject::Status),
    })
}

fn any_lifecycle() -> impl Strategy<Value = Lifecycle> {
    let history = vec(any_event_ref(), 0..5);
    (any_evidence(), any::<[i64; 2]>(), any::<[u64; 4]>(), history).prop_map(
        |(evidence, [first, last], [events, duplicates, late, unrecognised], history)| Lifecycle {
            evidence,
            first_received_at: Timestamp::from_micros(first),
            last_received_at: Timestamp::from_micros(last),
            counts: Counts { events, duplicates, late, unrecognised },
            history: history.into_iter().collect(),
        },
    )
}

fn pushed(lifecycle: &Lifecycle) -> Vec<u8> {
    let mut bytes = Vec::new();
    push(&mut bytes, lifecycle);
    bytes
}

/// The parts of a lifecycle that have columns of their own.
fn columns(lifecycle: &Lifecycle) -> (Option<Status>, Addresses<'_>) {
    (lifecycle.evidence.status(), Addresses::from_lifecycle(lifecycle))
}

#[test]
fn the_views_migration_names_this_format_so_that_a_change_rebuilds_them() {
    let migration = include_str!("../../../../migrations/sqlite/views/0001_messages.sql");
    let this_file = include_str!("mod.rs");
    assert!(migration.contains("in format 5 of"));
    assert!(this_file.contains("//! This is format 5."));
}

proptest! {
    #[test]
    fn any_lifecycle_is_read_as_it_was(lifecycle in any_lifecycle()) {
        let (status, columns) = columns(&lifecycle);
        let read = read(&pushed(&lifecycle), Rule::default(), status, columns);
        prop_assert_eq!(read, Some(lifecycle));
    }

    #[test]
    fn a_message_ref_is_the_same_as_that_of_the_whole_lifecycle(lifecycle in any_lifecycle()) {
        let key = MessageKey {
            account_sid: AccountSid::parse("AC1"),
            message_sid: MessageSid::parse("SM1").unwrap(),
        };
        let bytes = pushed(&lifecycle);
        let (status, columns) = columns(&lifecycle);
        let read = message_ref(&bytes, Some("AC1"), status, columns);
        prop_assert_eq!(read, Some(MessageRef::new(&key, &lifecycle)));
    }

    #[test]
    fn no_lifecycle_is_read_from_less_or_more_of_it(
        lifecycle in any_lifecycle(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = pushed(&lifecycle);
        let (_, columns) = columns(&lifecycle);
        let read = |bytes: &[u8]| read(bytes, Rule::default(), None, columns);
        prop_assert_eq!(read(&bytes[..cut.index(bytes.len())]), None);
        bytes.push(0);
        prop_assert_eq!(read(&bytes), None);
    }

    #[test]
    fn whatever_the_bytes_are_nothing_panics(
        lifecycle in any_lifecycle(),
        at in any::<proptest::sample::Index>(),
        changed in any::<u8>(),
        any in vec(any::<u8>(), 0..80),
    ) {
        let mut bytes = pushed(&lifecycle);
        let at = at.index(bytes.len());
        bytes[at] = changed;
        for columns in [columns(&lifecycle).1, Addresses { to: None, from: None }] {
            for bytes in [&any, &bytes] {
                read(bytes, Rule::default(), None, columns);
                message_ref(bytes, None, None, columns);
            }
        }
    }
}
