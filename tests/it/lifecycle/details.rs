//! What a message has besides its status: times of Twilio's, segments, price, carrier, tags, clicks, feedback.

use delivery_ledger::domain::message::details::{Details, FeedbackOutcome};
use delivery_ledger::domain::message::status_reported::Label;
use delivery_ledger::domain::{NewEvent, Rule, Source, Timestamp};
use delivery_ledger::projection::fold::Folded;
use serde_json::{Value, json};

use super::any_event::{cloud_event, feedback, json_callback};
use super::{folded, says, status_of};
use crate::support::events::{event, resource};
use crate::support::{ACCOUNT, sid};

const IPHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1";

/// A CloudEvent with a status, and further members of its data.
fn stream(id: &str, status: &str, further: Value) -> NewEvent {
    let mut data = json!({
        "accountSid": ACCOUNT,
        "messageSid": sid(1),
        "messageStatus": status.to_uppercase(),
        "from": "+15017250604",
        "to": "+15558675310",
    });
    data.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    cloud_event(id, &format!("com.twilio.messaging.message.{status}"), data)
}

fn click(further: Value) -> NewEvent {
    let mut data = json!({ "account_sid": ACCOUNT, "message_sid": sid(1) });
    data.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let id = format!("EZ{}", data["click_time"]);
    cloud_event(&id, "com.twilio.daptbt.link-shortening.link-clicked", data)
}

fn of(events: impl IntoIterator<Item = NewEvent>) -> Folded {
    folded(Rule::default(), events)
}

fn details(events: impl IntoIterator<Item = NewEvent>) -> Details {
    of(events).lifecycle.evidence.details
}

fn effects(folded: &Folded) -> Vec<&'static str> {
    folded.timeline.iter().map(|entry| entry.effect.name()).collect()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn the_status_of_a_cloud_event_counts_like_that_of_a_callback() {
    let message = of([event(says("sent")), stream("EZ1", "delivered", json!({}))]);
    assert_eq!(status_of(&message), "delivered");
    assert_eq!(effects(&message), ["advanced", "advanced"]);
    let kinds = message.lifecycle.evidence.kinds;
    assert_eq!((kinds.by_callback, kinds.by_stream), (true, true));
}

#[test]
fn cloud_events_with_one_id_are_duplicates_whatever_else_they_contain() {
    let message = of([
        stream("EZ1", "delivered", json!({})),
        stream("EZ1", "delivered", json!({ "numberOfSegments": "2" })),
        stream("EZ2", "delivered", json!({})),
    ]);
    assert_eq!(effects(&message), ["advanced", "duplicate", "confirmed"]);
    assert_eq!(message.lifecycle.evidence.details.segments(), Some(2), "its facts count");
}

#[test]
fn a_cloud_event_of_another_type_is_not_of_a_message() {
    for kind in [
        "com.twilio.messaging.inbound-message.received",
        "com.twilio.error-logs.error.logged",
        "com.twilio.voice.status-callback.call.completed",
    ] {
        let other =
            cloud_event("EZ1", kind, json!({ "messageSid": sid(1), "messageStatus": "READ" }));
        let message = of([event(says("sent")), other]);
        assert_eq!((status_of(&message), message.timeline.len()), ("sent", 1), "{kind}");
    }
}

#[test]
fn without_a_status_in_its_data_the_type_of_a_cloud_event_counts() {
    let data = json!({ "accountSid": ACCOUNT, "messageSid": sid(1) });
    let kind = "com.twilio.messaging.message.delivered";
    assert_eq!(status_of(&of([cloud_event("EZ1", kind, data)])), "delivered");
}

#[test]
fn an_unknown_status_of_a_cloud_event_is_kept_and_changes_nothing() {
    let message = of([event(says("sent")), stream("EZ1", "teleported", json!({}))]);
    assert_eq!((status_of(&message), message.lifecycle.counts.unrecognised), ("sent", 1));
}

#[test]
fn a_status_that_differs_from_the_type_is_labelled() {
    let data = json!({ "messageSid": sid(1), "messageStatus": "SENT" });
    let message = of([cloud_event("EZ1", "com.twilio.messaging.message.delivered", data)]);
    assert_eq!(status_of(&message), "sent");
    assert!(message.timeline[0].reported.labels.contains(&Label::StatusWordsDiffer));
}

#[test]
fn twilios_time_of_a_status_is_the_earliest_and_orders_nothing() {
    let at = |timestamp: &str| json!({ "timestamp": timestamp });
    let message = of([
        stream("EZ1", "delivered", at("2026-01-02T03:00:05Z")),
        stream("EZ2", "sent", at("2026-01-02T03:00:09Z")),
        stream("EZ3", "delivered", at("2026-01-02T03:00:04.25Z")),
    ]);
    assert_eq!(status_of(&message), "delivered");
    let times = message.lifecycle.evidence.details.occurred_times();
    let times: Vec<_> = times.map(|(status, at)| (status.name(), at.to_string())).collect();
    let expected = [
        ("sent", "2026-01-02T03:00:09.000000Z".to_owned()),
        ("delivered", "2026-01-02T03:00:04.250000Z".to_owned()),
    ];
    assert_eq!(times, expected);
}

#[test]
fn the_time_of_the_envelope_counts_if_the_data_has_none_that_can_be_read() {
    let first = |event| details([event]).first_occurred_at();
    let of_envelope = Some(time("2026-01-02T03:04:00Z"));
    assert_eq!(first(stream("EZ1", "sent", json!({}))), of_envelope);
    assert_eq!(first(stream("EZ1", "sent", json!({ "timestamp": "yesterday" }))), of_envelope);
    let before_twilio = json!({ "timestamp": "1970-01-01T00:00:00Z" });
    assert_eq!(first(stream("EZ1", "sent", before_twilio)), None);
}

#[test]
fn segments_are_the_largest_number_and_0_is_none() {
    let segments = |value: Value| stream("EZ1", "sent", json!({ "numberOfSegments": value }));
    for (value, expected) in [
        (json!("2"), Some(2)),
        (json!(2), Some(2)),
        (json!("0"), None),
        (json!("two"), None),
        (json!(-1), None),
        (json!(null), None),
        (json!([1]), None),
    ] {
        assert_eq!(details([segments(value.clone())]).segments(), expected, "{value}");
    }
    let record = resource(
        Source::Reconcile,
        json!({ "sid": sid(1), "status": "sent", "num_segments": "3" }),
    );
    assert_eq!(details([record, segments(json!("2"))]).segments(), Some(3));
}

#[test]
fn the_price_comes_from_the_message_resource() {
    let record = |price: Value, unit: &str| {
        let json =
            json!({ "sid": sid(1), "status": "delivered", "price": price, "price_unit": unit });
        resource(Source::Reconcile, json)
    };
    let price = |events: Vec<NewEvent>| {
        let price = details(events).price()?;
        Some((price.amount.to_string(), price.currency.as_str().to_owned()))
    };
    let of = |amount: &str| Some((amount.to_owned(), "USD".to_owned()));
    assert_eq!(price(vec![record(json!("-0.00750"), "USD")]), of("-0.0075"));
    assert_eq!(price(vec![record(json!(null), "USD"), record(json!("-0.01"), "USD")]), of("-0.01"));
    assert_eq!(price(vec![record(json!("-0.01"), "USD"), record(json!("0"), "USD")]), of("-0.01"));
    assert_eq!(price(vec![record(json!("free"), "USD")]), None);
    assert_eq!(price(vec![record(json!("-0.01"), "")]), None);
}

#[test]
fn the_carrier_is_that_of_the_highest_status() {
    let carried = |id: &str, status: &str, mcc: Value, mnc: Value| {
        stream(id, status, json!({ "mcc": mcc, "mnc": mnc }))
    };
    let carrier = |events: Vec<NewEvent>| {
        let details = details(events);
        details.carrier().map(|carrier| format!("{}-{}", carrier.mcc(), carrier.mnc()))
    };
    let sent = || carried("EZ1", "sent", json!("310"), json!("260"));
    let delivered = || carried("EZ2", "delivered", json!(262), json!(1));
    assert_eq!(carrier(vec![sent(), delivered()]), Some("262-01".to_owned()));
    assert_eq!(carrier(vec![delivered(), sent()]), Some("262-01".to_owned()));
    assert_eq!(carrier(vec![carried("EZ1", "sent", json!("310"), json!("T-Mobile"))]), None);
}

#[test]
fn the_tags_of_a_cloud_event_and_those_of_the_query_are_merged() {
    let message = of([stream("EZ1", "sent", json!({ "tags": { "campaign": "spring", "n": 2 } }))]);
    let tags = &message.lifecycle.evidence.tags;
    let tags: Vec<_> = tags.iter().collect();
    assert_eq!(tags, [("campaign", "spring"), ("n", "1"), ("n", "2")]);
}

#[test]
fn a_click_is_no_status() {
    let message = of([
        event(says("sent")),
        click(json!({
            "click_time": "2026-01-02T04:00:00Z",
            "link": "https://example.com/",
            "user_agent": IPHONE,
        })),
    ]);
    assert_eq!(status_of(&message), "sent");
    assert_eq!(effects(&message), ["advanced", "click"]);
    assert_eq!(message.lifecycle.counts.unrecognised, 0);
    let clicks = message.lifecycle.evidence.details.clicks().unwrap().clone();
    assert_eq!((clicks.count(), clicks.previews()), (1, 0));
    assert_eq!(clicks.first_at(), Some(time("2026-01-02T04:00:00Z")));
}

#[test]
fn the_callback_and_the_cloud_event_of_one_click_count_once() {
    let facts = json!({
        "click_time": "2026-01-02T04:00:00Z",
        "link": "https://example.com/",
        "user_agent": IPHONE,
    });
    let mut body = facts.clone();
    let callback = json!({ "event_type": "click", "sms_sid": sid(1), "account_sid": ACCOUNT });
    body.as_object_mut().unwrap().extend(callback.as_object().unwrap().clone());
    let clicks = details([click(facts), json_callback(&body)]).clicks().unwrap().count();
    assert_eq!(clicks, 1);
}

#[test]
fn previews_are_counted_apart_and_labelled() {
    let by = |agent: &str| {
        click(json!({ "click_time": format!("2026-01-02T04:00:0{}Z", agent.len() % 9),
        "user_agent": agent }))
    };
    let message = of([by("facebookexternalhit/1.1"), by(IPHONE), by("")]);
    let clicks = message.lifecycle.evidence.details.clicks().unwrap().clone();
    assert_eq!((clicks.count(), clicks.previews()), (1, 2));
    let labels =
        message.timeline.iter().map(|entry| entry.reported.labels.contains(&Label::LikelyPreview));
    assert_eq!(labels.collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn a_callback_that_says_preview_is_one() {
    let body = json!({
        "event_type": "preview", "sms_sid": sid(1), "account_sid": ACCOUNT, "user_agent": IPHONE,
    });
    assert_eq!(details([json_callback(&body)]).clicks().unwrap().previews(), 1);
}

#[test]
fn feedback_is_confirmed_once_it_was_confirmed() {
    assert_eq!(details([event(says("sent"))]).feedback(), None);
    assert_eq!(details([feedback("unconfirmed")]).feedback(), Some(FeedbackOutcome::Unconfirmed));
    for outcomes in [["unconfirmed", "confirmed"], ["confirmed", "unconfirmed"]] {
        let message = of(outcomes.map(feedback));
        assert_eq!(message.lifecycle.evidence.details.feedback(), Some(FeedbackOutcome::Confirmed));
        assert_eq!(effects(&message), ["feedback", "feedback"]);
    }
}

#[test]
fn a_message_began_at_its_creation_date_if_that_is_known() {
    let record = json!({
        "sid": sid(1), "status": "delivered", "date_created": "Fri, 02 Jan 2026 03:00:00 +0000",
        "date_sent": "Fri, 02 Jan 2026 03:00:02 +0000",
    });
    let details = details([resource(Source::Import, record)]);
    assert_eq!(details.first_occurred_at(), Some(time("2026-01-02T03:00:02Z")), "sent");
}
