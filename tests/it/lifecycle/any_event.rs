//! Any event about the one message of a test, from few values, so that ties and duplicates occur: callbacks,
//! CloudEvents, clicks, records of Twilio's API and feedback.

use delivery_ledger::domain::{NewEvent, Source};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::laws::any_callback;
use crate::support::events::{event, headers, resource, with_query};
use crate::support::{ACCOUNT, sid};

/// Any event about the message of a test.
pub fn any_event() -> impl Strategy<Value = NewEvent> {
    prop_oneof![
        4 => any_callback(),
        2 => any_cloud_event(),
        1 => any_click(),
        1 => any_resource(),
        1 => any_feedback(),
    ]
}

/// A CloudEvent with this type and data.
pub fn cloud_event(id: &str, kind: &str, data: Value) -> NewEvent {
    let body = json!({
        "specversion": "1.0",
        "type": kind,
        "source": "/2010-04-01/Accounts/AC/Messages/SM",
        "id": id,
        "time": "2026-01-02T03:04:00Z",
        "data": data,
    });
    json_callback(&body)
}

/// A callback with a JSON body.
pub fn json_callback(body: &Value) -> NewEvent {
    let event = event(body.to_string());
    with_query(
        NewEvent { headers: headers(&[("content-type", "application/json")]), ..event },
        "n=1",
    )
}

/// The answer of Twilio to feedback.
pub fn feedback(outcome: &str) -> NewEvent {
    let answer = resource(
        Source::Send,
        json!({ "account_sid": ACCOUNT, "message_sid": sid(1), "outcome": outcome }),
    );
    let url = format!("https://api.twilio.com/2010-04-01/Messages/{}/Feedback.json", sid(1));
    NewEvent { url, ..answer }
}

fn sometimes(
    name: &'static str,
    values: Vec<Value>,
) -> impl Strategy<Value = Option<(&'static str, Value)>> {
    weighted(0.4, select(values).prop_map(move |value| (name, value)))
}

fn with(mut object: Value, members: Vec<Option<(&'static str, Value)>>) -> Value {
    let members = members.into_iter().flatten();
    let members: Map<_, _> = members.map(|(name, value)| (name.to_owned(), value)).collect();
    object.as_object_mut().unwrap().extend(members);
    object
}

fn any_cloud_event() -> impl Strategy<Value = NewEvent> {
    // An id has one status, as Twilio's have, but sometimes other data: a newer version of the schema.
    let status = select(vec!["QUEUED", "SENT", "DELIVERED", "READ", "UNDELIVERED", "FAILED"]);
    let members = (
        sometimes("timestamp", vec![json!("2026-01-02T03:03:00Z"), json!("2026-01-02T03:03:01Z")]),
        sometimes("numberOfSegments", vec![json!("1"), json!(2), json!("0"), json!("two")]),
        sometimes("mcc", vec![json!("310"), json!(262)]),
        sometimes("mnc", vec![json!("26"), json!("260")]),
        sometimes("errorCode", vec![json!(30003), json!("30008")]),
        sometimes("to", vec![json!("+3"), json!("rcs:+3")]),
        sometimes("tags", vec![json!({ "campaign": "spring" }), json!({ "n": "2" })]),
    );
    (status, members, 0..2).prop_map(|(status, members, number)| {
        let (at, segments, mcc, mnc, code, to, tags) = members;
        let data = json!({ "accountSid": ACCOUNT, "messageSid": sid(1), "messageStatus": status });
        let data = with(data, vec![at, segments, mcc, mnc, code, to, tags]);
        let kind = format!("com.twilio.messaging.message.{}", status.to_lowercase());
        cloud_event(&format!("EZ{status}{number}"), &kind, data)
    })
}

fn any_click() -> impl Strategy<Value = NewEvent> {
    let members = (
        sometimes("click_time", vec![json!("2026-01-02T04:00:00Z"), json!("2026-01-02T05:00:00Z")]),
        sometimes("user_agent", vec![json!("Mozilla/5.0 (iPhone)"), json!("WhatsApp/2.24")]),
        sometimes("link", vec![json!("https://example.com/a"), json!("https://example.com/b")]),
    );
    (members, any::<bool>(), 0..3).prop_map(|((at, agent, link), is_cloud_event, number)| {
        let members = vec![at, agent, link];
        if is_cloud_event {
            let data = with(json!({ "account_sid": ACCOUNT, "message_sid": sid(1) }), members);
            let kind = "com.twilio.daptbt.link-shortening.link-clicked";
            return cloud_event(&format!("EZclick{number}"), kind, data);
        }
        let body = json!({ "event_type": "click", "sms_sid": sid(1), "account_sid": ACCOUNT });
        json_callback(&with(body, members))
    })
}

fn any_resource() -> impl Strategy<Value = NewEvent> {
    let members = (
        sometimes("price", vec![json!("-0.00750"), json!("-0.01"), json!("free"), Value::Null]),
        sometimes("price_unit", vec![json!("USD"), json!("EUR")]),
        sometimes("num_segments", vec![json!("0"), json!("3")]),
        sometimes("date_sent", vec![json!("Fri, 02 Jan 2026 03:02:00 +0000")]),
    );
    let status = select(vec!["sent", "delivered", "failed"]);
    (status, members).prop_map(|(status, (price, unit, segments, sent))| {
        let record = json!({ "account_sid": ACCOUNT, "sid": sid(1), "status": status });
        resource(Source::Reconcile, with(record, vec![price, unit, segments, sent]))
    })
}

fn any_feedback() -> impl Strategy<Value = NewEvent> {
    select(vec!["confirmed", "unconfirmed", "maybe"]).prop_map(feedback)
}
