//! Lifecycles for property tests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use smol_str::SmolStr;

use crate::domain::carrier::Carrier;
use crate::domain::message::click::Click;
use crate::domain::message::details::{Details, FeedbackOutcome, KnownDetails, RankedCarrier};
use crate::domain::message::event_ref::{EventRef, Fingerprint, Subject};
use crate::domain::message::kinds::EventKinds;
use crate::domain::message::lifecycle::{Counts, DecidingEvent, DeliveryReceipt, Evidence};
use crate::domain::message::status_reported::{Addressing, Doubt};
use crate::domain::message::tags::Tags;
use crate::domain::price::{Amount, Currency, Price};
use crate::domain::{ErrorCode, Lifecycle, Rule, Status, Timestamp};

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

/// Any lifecycle, also one that no events lead to.
pub fn any_lifecycle() -> impl Strategy<Value = Lifecycle> {
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
