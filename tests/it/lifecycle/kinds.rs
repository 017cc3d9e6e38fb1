//! Kinds of messages (outbound, inbound, unknown, simulated), and the time from which a message's age counts.

use delivery_ledger::domain::{NewEvent, Source, Timestamp};
use delivery_ledger::store::{self, Access, Database};
use proptest::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::support::events::{event, resource, simulated};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, App, MessageBody, TOKEN, delivered, sent, sid, signature, status};

/// The webhook of an inbound message.
fn inbound(sid: &str) -> MessageBody {
    status(sid, "x")
        .without("MessageStatus")
        .with("SmsStatus", "received")
        .with("Body", "Hi")
        .with("NumMedia", "0")
}

/// A webhook about a message, without a status.
fn without_status(sid: &str) -> MessageBody {
    status(sid, "x").without("MessageStatus").without("SmsStatus").with("EventType", "CLICKED")
}

fn listed(app: &App, query: &str) -> Vec<String> {
    let answer = app.get(&format!("/v1/messages?{query}"));
    assert_eq!(answer.code, 200, "{query}: {}", answer.json());
    let sid = |message: &Value| message["message_sid"].as_str().unwrap().to_owned();
    answer.json()["data"].as_array().unwrap().iter().map(sid).collect()
}

fn total(app: &App, query: &str) -> (i64, i64) {
    let total = app.get(&format!("/v1/reports/delivery?{query}")).json()["total"].clone();
    (total["messages"].as_i64().unwrap(), total["open"].as_i64().unwrap())
}

/// The SIDs of the messages that have been open for more than a second.
fn stuck_for_a_second(app: &App) -> Vec<String> {
    app.wait_until_all_events_are_a_second_old();
    listed(app, "stuck=1s")
}

fn simulate(app: &App, body: MessageBody) {
    let signature = signature(TOKEN, &app.url("/message-status"), &body.clone().bytes());
    let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
    let request = request.header("User-Agent", "delivery-ledger-simulate/0.1.0");
    assert_eq!(request.body(body).send(app.callbacks()).code, 200);
}

#[test]
fn an_inbound_message_is_stored_and_labelled_and_never_open() {
    let app = App::start();
    app.receive(inbound(&sid(1)));
    app.receive(inbound(&sid(2)).with("SmsStatus", "Receiving"));
    app.caught_up();

    let message = app.message(&sid(1));
    assert_eq!(
        (&message["status"], &message["labels"], &message["timeline"][0]["labels"]),
        (&json!("unknown"), &json!(["inbound"]), &json!(["inbound"]))
    );
    let none: [String; 0] = [];
    for query in ["", "status=unknown", "to=*5310", "inbound=false"] {
        assert_eq!(listed(&app, query), none, "{query}");
    }
    assert_eq!(stuck_for_a_second(&app), none);
    for by in ["channel", "from", "day", "error-code", "country"] {
        assert_eq!(total(&app, &format!("by={by}")), (0, 0), "{by}");
        assert_eq!(total(&app, &format!("by={by}&inbound=true")), (2, 0), "{by}");
    }
    assert_eq!(app.messages(), [json!(null); 0]);

    assert_eq!(listed(&app, "inbound=true"), [sid(2), sid(1)]);
    assert_eq!(listed(&app, "inbound=true&status=unknown"), [sid(2), sid(1)]);
    let exported = app.run(&["export", "messages", "--inbound", "--format", "csv"]);
    let exported = String::from_utf8(exported.stdout).unwrap();
    let mut lines = exported.lines();
    assert!(lines.next().unwrap().contains(",as_of_position,labels,tags,"), "{exported}");
    assert!(lines.all(|line| line.contains(",2,inbound,{},false,")), "{exported}");
    assert!(app.run(&["verify"]).status.success());
}

#[test]
fn one_outbound_status_makes_an_outbound_message_in_any_order() {
    let app = App::start();
    app.receive(inbound(&sid(1)));
    app.receive(sent(&sid(1)));
    app.receive(sent(&sid(2)));
    app.caught_up();
    app.receive(inbound(&sid(2)));
    app.caught_up();

    assert_eq!(listed(&app, ""), [sid(2), sid(1)]);
    assert_eq!(stuck_for_a_second(&app), [sid(2), sid(1)]);
    for number in [1, 2] {
        let message = app.message(&sid(number));
        assert_eq!((&message["status"], &message["labels"]), (&json!("sent"), &json!([])));
    }
    assert_eq!(total(&app, "by=channel"), (2, 2));
}

#[test]
fn a_message_without_a_status_is_not_open_and_one_with_an_unknown_status_is() {
    let app = App::start();
    app.receive(without_status(&sid(1)));
    app.receive(status(&sid(2), "tunnelled"));
    app.caught_up();

    assert_eq!(listed(&app, ""), [sid(2), sid(1)]);
    assert_eq!(listed(&app, "status=unknown"), [sid(2), sid(1)]);
    assert_eq!(stuck_for_a_second(&app), [sid(2)]);
    assert_eq!(total(&app, "by=channel"), (2, 1));
    assert_eq!(total(&app, "by=from"), (2, 1));
    assert_eq!(app.message(&sid(1))["labels"], json!([]));

    // A status determines its kind.
    app.receive(sent(&sid(1)));
    app.caught_up();
    assert_eq!(stuck_for_a_second(&app), [sid(2), sid(1)]);
}

#[test]
fn a_resource_with_an_inbound_direction_is_inbound_whatever_its_status() {
    for (direction, word, labels) in [
        ("inbound", "received", json!(["inbound"])),
        ("inbound", "delivered", json!(["inbound"])),
        ("Incoming", "Received", json!(["inbound"])),
        ("outbound-api", "received", json!(["inbound"])),
        ("outbound-reply", "sent", json!([])),
        ("outbound-api", "tunnelled", json!([])),
    ] {
        let record = json!({
            "sid": sid(1), "account_sid": ACCOUNT, "status": word, "direction": direction,
        });
        let ledger = Ledger::with_events(&[resource(Source::Import, record)]);
        let output = ledger.run(&["audit", &sid(1), "--format", "json"]);
        let message: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(message["labels"], labels, "{direction} {word}");
        if labels == json!(["inbound"]) {
            assert_eq!(message["status"], "unknown", "{direction} {word}");
        }
    }
}

#[test]
fn simulated_messages_can_be_selected_and_excluded() {
    let app = App::start();
    let only_simulated = || app.get("/readyz").json()["only_simulated"].clone();
    assert_eq!(only_simulated(), json!(true), "nothing was sent");
    simulate(&app, sent(&sid(1)));
    simulate(&app, delivered(&sid(2)));
    app.caught_up();
    assert_eq!(only_simulated(), json!(true));
    let none: [String; 0] = [];
    assert_eq!(listed(&app, "simulated=false&limit=1"), none);

    // The same callback from another sender: a duplicate that no simulation sent.
    app.receive(delivered(&sid(2)));
    assert_eq!(
        only_simulated(),
        Value::Null,
        "decided by the log, even before the event is projected"
    );
    app.caught_up();
    assert_eq!(only_simulated(), Value::Null);

    assert_eq!(listed(&app, ""), [sid(2), sid(1)]);
    assert_eq!(listed(&app, "simulated=true"), [sid(1)]);
    assert_eq!(listed(&app, "simulated=false"), [sid(2)]);
    assert_eq!(total(&app, "by=channel&simulated=false"), (1, 0));
    assert_eq!(total(&app, "by=from&simulated=true"), (1, 1));
    let message = app.message(&sid(2));
    assert_eq!((&message["labels"], &message["duplicates"]), (&json!([]), &json!(1)));
    assert_eq!(message["timeline"][0]["labels"], json!(["simulated"]));
    assert_eq!(message["timeline"][1].get("labels"), None);
    let rows = |arguments: &[&str]| {
        let output = app.run(&[&["export"], arguments].concat());
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!(rows(&["messages", "--simulated=false"]), 1);
    assert_eq!(rows(&["messages", "--simulated"]), 1);
    assert_eq!(rows(&["events", "--simulated=false"]), 1);
    assert_eq!(rows(&["events", "--simulated"]), 2);
    let exported = app.get("/v1/exports/events?simulated=false").body;
    assert_eq!(exported.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert!(app.run(&["verify"]).status.success());
}

#[test]
fn an_event_without_a_message_counts_for_only_simulated() {
    let app = App::start();
    simulate(&app, sent(&sid(1)));
    app.receive(status("", "sent").without("MessageSid").without("SmsSid"));
    assert_eq!(app.get("/readyz").json()["only_simulated"], Value::Null);
    app.caught_up();
    assert_eq!(app.get("/readyz").json()["only_simulated"], Value::Null);
}

#[test]
fn the_age_of_a_message_counts_from_its_creation_at_twilio() {
    let now = OffsetDateTime::now_utc();
    let record = |number, name: &str, date: &str| {
        let json = json!({
            "sid": sid(number), "account_sid": ACCOUNT, "status": "sent",
            "direction": "outbound-api", name: date,
        });
        let received_at = Timestamp::from(now);
        NewEvent { received_at, ..resource(Source::Import, json) }
    };
    let yesterday = (now - time::Duration::hours(30)).format(&Rfc2822).unwrap();
    let mut app = App::not_started(&[]);
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
    log.append(&[
        record(1, "date_created", "Thu, 24 Aug 2023 05:01:45 +0000"),
        record(2, "date_created", "2023-08-24T05:01:45Z"),
        record(3, "date_sent", "2023-08-24T05:01:45.000Z"),
        record(4, "date_created", &yesterday),
        // Without dates, the age counts from the arrival.
        record(5, "date_created", "1900-01-01T00:00:00Z"),
        record(6, "date_created", "2099-01-01T00:00:00Z"),
        record(7, "date_created", "yesterday"),
    ])
    .unwrap();
    drop(log);
    app.restart();
    app.caught_up();

    assert_eq!(listed(&app, "stuck=12h"), [sid(4), sid(3), sid(2), sid(1)]);
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    for line in ["stuck_messages 4", "stuck_recent_messages 1"] {
        assert!(metrics.contains(&format!("\ndelivery_ledger_{line}\n")), "{line}");
    }
    // Time filters of lists and reports use the first arrival.
    assert_eq!(listed(&app, "until=2024-01-01"), [""; 0]);
    assert_eq!(total(&app, "by=day&since=2026-01-01"), (7, 7));
}

/// Any event about the message that affects its kind or age.
fn any_event() -> impl Strategy<Value = NewEvent> {
    let callback = prop_oneof![
        Just(inbound(&sid(1))),
        Just(without_status(&sid(1))),
        Just(sent(&sid(1))),
        Just(status(&sid(1), "tunnelled")),
    ];
    let callback = (callback, any::<bool>()).prop_map(|(body, by_simulation)| {
        if by_simulation { simulated(event(body)) } else { event(body) }
    });
    let date = proptest::sample::select(vec![
        "Thu, 24 Aug 2023 05:01:45 +0000",
        "2024-08-24T05:01:45Z",
        "2099-01-01T00:00:00Z",
        "never",
    ]);
    let direction = proptest::sample::select(vec!["inbound", "outbound-api"]);
    let record = (date, direction).prop_map(|(date, direction)| {
        let json = json!({
            "sid": sid(1), "account_sid": ACCOUNT, "status": "sent", "direction": direction,
            "date_created": date,
        });
        resource(Source::Reconcile, json)
    });
    prop_oneof![callback, record]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))] // each case creates two ledgers

    /// Kind and age are the same whether the events are projected at once, or in steps and in another order.
    #[test]
    fn the_kind_of_a_message_does_not_depend_on_order(
        (events, reordered) in proptest::collection::vec(any_event(), 1..8)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
    ) {
        let kinds = |ledger: &Ledger| {
            let (_, messages) = ledger.open_for_reading().views().page(0, 10).unwrap();
            messages[0].lifecycle.evidence.kinds
        };
        let at_once = Ledger::with_events(&events);
        let by_steps = Ledger::with_events(&[]);
        for step in reordered.chunks(2) {
            by_steps.append(step);
            by_steps.project();
        }
        prop_assert_eq!(kinds(&at_once), kinds(&by_steps));
    }
}
