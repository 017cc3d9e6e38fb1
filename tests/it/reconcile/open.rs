//! Which messages are fetched, and which answers become events.

use std::collections::BTreeMap;

use delivery_ledger::domain::{NewEvent, Timestamp};
use delivery_ledger::store::{Access, Database};
use delivery_ledger::{simulate, store};
use proptest::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{counts, reconcile, statuses, with};
use crate::support::events::{event, resource};
use crate::support::twilio::{Fault, TEXT, Twilio};
use crate::support::{ACCOUNT, delivered, sent, sid, status};

// Single messages.

#[test]
fn only_messages_open_for_long_are_fetched() {
    let twilio = Twilio::start();
    let app = with(
        &twilio,
        [
            (80, sent(&sid(1))),
            (40, sent(&sid(2))),
            (40, delivered(&sid(3))),
            (20, status(&sid(4), "queued")),
            (1, sent(&sid(5))),
        ],
    );
    (1..6).for_each(|number| twilio.has(&sid(number), "delivered"));

    let summary = reconcile(&app, &["--no-list"]);

    assert_eq!(
        counts(&summary, &["requests", "fetched", "appended"]),
        [&json!(2), &json!(2), &json!(2)]
    );
    let asked =
        |number| format!("GET /2010-04-01/Accounts/{ACCOUNT}/Messages/{}.json?", sid(number));
    assert_eq!(twilio.requests(), [asked(4), asked(2)]);
    let now = statuses(&app);
    assert_eq!(
        (&*now[&sid(1)], &*now[&sid(2)], &*now[&sid(4)]),
        ("sent", "delivered", "delivered")
    );

    // A second run has nothing to ask for.
    assert_eq!(reconcile(&app, &["--no-list"])["requests"], 0);
    let earlier = reconcile(&app, &["--no-list", "--older-than", "30m", "--give-up-after", "7d"]);
    assert_eq!(earlier["fetched"], 2);
    assert!(app.run(&["verify"]).status.success());
}

#[test]
fn a_response_is_appended_only_if_it_adds_a_fact() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(40, sent(&sid(1))), (40, sent(&sid(2))), (40, sent(&sid(3)))]);
    twilio.has(&sid(1), "sent");
    twilio.has_with(&sid(2), "undelivered", json!({"error_code": 30005}));

    let summary = reconcile(&app, &["--no-list"]);

    assert_eq!(
        counts(&summary, &["fetched", "appended", "known", "not_found"]),
        [&json!(3), &json!(1), &json!(1), &json!(1)]
    );
    let events = app.events();
    assert_eq!(events.len(), 4);
    let added = &events[3];
    assert_eq!((&added["source"], &added["method"]), (&json!("reconcile"), &json!("GET")));
    assert_eq!(added["notes"], json!({"asked": "fetch", "content": "removed"}));
    let message = app.json(&["audit", &sid(2), "--format", "json"]);
    assert_eq!(
        (&message["status"], &message["error_code"]),
        (&json!("undelivered"), &json!(30005))
    );
}

#[test]
fn twilios_status_never_moves_a_message_backwards() {
    let twilio = Twilio::start();
    let app = with(
        &twilio,
        [(40, delivered(&sid(1)).with("To", "whatsapp:+15558675310")), (40, sent(&sid(2)))],
    );
    twilio.has(&sid(1), "sent");
    twilio.has(&sid(2), "queued");
    let summary = reconcile(&app, &[]);
    assert_eq!(summary["appended"], 2, "each is a fact that was not known");
    let now = statuses(&app);
    assert_eq!((&*now[&sid(1)], &*now[&sid(2)]), ("delivered", "sent"));
}

#[test]
fn message_texts_are_not_stored_unless_requested() {
    for keep in [false, true] {
        let twilio = Twilio::start();
        let app = with(&twilio, [(40, sent(&sid(1)))]);
        twilio.has(&sid(1), "delivered");
        twilio.has(&sid(2), "delivered");
        reconcile(&app, if keep { &["--keep-content"] } else { &[] });
        let added: Vec<_> = app.events().into_iter().skip(1).collect();
        assert_eq!(added.len(), 2);
        for event in added {
            assert_eq!(event["body"].as_str().unwrap().contains(TEXT), keep, "{event}");
            assert_eq!(event["notes"]["content"] == "removed", !keep);
        }
    }
}

// A list.

#[test]
fn every_page_is_read_and_unknown_messages_are_added() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(1, sent(&sid(1)))]);
    (1..26).for_each(|number| twilio.has(&sid(number), "delivered"));
    let inbound = json!({"direction": "inbound", "status": "received"});
    twilio.has_with(&sid(100), "received", inbound);
    twilio.page_size(10);

    let summary = reconcile(&app, &[]);

    assert_eq!(
        counts(&summary, &["requests", "listed", "appended", "inbound", "known"]),
        [&json!(3), &json!(26), &json!(25), &json!(1), &json!(0)]
    );
    assert_eq!(statuses(&app).len(), 25);
    assert!(twilio.requests()[0].contains("&PageSize=1000"), "{:?}", twilio.requests());
    let again = reconcile(&app, &[]);
    assert_eq!(counts(&again, &["appended", "known"]), [&json!(0), &json!(25)]);
}

#[test]
fn a_window_can_be_chosen() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    twilio.has_with(&sid(1), "delivered", json!({"date_sent": "Wed, 11 Nov 2026 10:00:00 +0000"}));
    twilio.has(&sid(2), "delivered");
    let summary = reconcile(&app, &["--since", "2026-11-11", "--until", "2026-11-12"]);
    assert_eq!(summary["appended"], 1);
    let wanted = "DateSent>=2026-11-11T00:00:00Z&DateSent<=2026-11-12T00:00:00Z&PageSize=1000";
    assert!(twilio.requests()[0].ends_with(wanted), "{:?}", twilio.requests());
    assert_eq!(statuses(&app).keys().collect::<Vec<_>>(), [&sid(1)]);
}

#[test]
fn after_one_run_every_message_equals_twilios() {
    let twilio = Twilio::start();
    let mut app = with(&twilio, []);
    let plan = simulate::SimulationPlan {
        account_sid: ACCOUNT.to_owned(),
        messages: 400,
        seed: 6,
        shuffle: true,
        duplicates: 0.05,
        lose: 0.0,
        conflicts: 0.0,
        queued: 0.0,
        forged: 0.0,
        receipt: simulate::FIXED_RECEIPT.to_owned(),
    };
    app.restart();
    let mut model: BTreeMap<String, (u64, String, Value)> = BTreeMap::new();
    for (number, callback) in (0..).zip(plan.callbacks()) {
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(callback.body.as_bytes());
            pairs.find(|(have, _)| have == name).map(|(_, value)| value.into_owned())
        };
        let (sid, status) = (value("MessageSid").unwrap(), value("MessageStatus").unwrap());
        let rank = ["sent", "delivered", "read", "undelivered", "failed"];
        let rank = rank.iter().position(|have| *have == status).unwrap() as u64;
        let code =
            value("ErrorCode").map_or(Value::Null, |code| json!(code.parse::<u32>().unwrap()));
        let last = model.get(&sid).is_none_or(|(highest, ..)| rank > *highest);
        if last {
            let changed = json!({"to": value("To"), "from": value("From"), "error_code": code});
            twilio.has_with(&sid, &status, changed);
            model.insert(sid, (rank, status, code));
        }
        // One callback in twenty is lost.
        if number % 20 != 7 {
            assert_eq!(app.receive(callback.body.clone()).code, 200);
        }
    }
    twilio.page_size(90);

    let summary = reconcile(&app, &[]);
    app.caught_up_to(app.events().len() as u64);

    let stands: BTreeMap<_, _> = app
        .messages()
        .into_iter()
        .map(|message| {
            let text = |name: &str| message[name].as_str().unwrap().to_owned();
            (text("message_sid"), (text("status"), message["error_code"].clone()))
        })
        .collect();
    let model: BTreeMap<_, _> =
        model.into_iter().map(|(sid, (_, status, code))| (sid, (status, code))).collect();
    assert_eq!(stands, model);
    assert!((5..60).contains(&summary["appended"].as_u64().unwrap()), "{summary}");
    assert!(app.run(&["verify"]).status.success());
}

// What can change.

/// An import of history must not use up the requests: its messages stay as they are.
#[test]
fn imported_messages_that_are_too_old_to_change_are_never_fetched() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    let record = |number: u32| {
        let mut record = crate::support::twilio::resource(&sid(number), "sent");
        record["date_created"] = json!("Thu, 24 Aug 2023 05:01:45 +0000");
        record["date_sent"] = record["date_created"].clone();
        record
    };
    let page = json!({"messages": (256..316).map(record).collect::<Vec<_>>()});
    std::fs::write(app.folder().join("page.json"), page.to_string()).unwrap();
    assert!(app.run(&["import", "page.json"]).status.success());
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Append).unwrap();
    let received_at = Timestamp::from(OffsetDateTime::now_utc() - time::Duration::minutes(5));
    store::append_when_free(&*log, &[NewEvent { received_at, ..event(sent(&sid(3))) }]).unwrap();
    drop(log);
    app.wait_until_all_events_are_a_second_old();
    twilio.has(&sid(3), "delivered");
    let preview = reconcile(&app, &["--older-than", "1s", "--dry-run"]);
    assert_eq!(preview["to_fetch"], 1);

    let summary = reconcile(&app, &["--older-than", "1s", "--max-requests", "20"]);

    assert_eq!(
        counts(&summary, &["requests", "fetched", "listed"]),
        [&json!(2), &json!(1), &json!(1)]
    );
    let asked = twilio.requests();
    assert!(asked[0].contains("/Messages.json?DateSent>="), "{asked:?}");
    assert!(asked[1].contains(&sid(3)), "{asked:?}");
}

#[test]
fn inbound_and_simulated_messages_are_not_fetched() {
    let twilio = Twilio::start();
    let app = with(
        &twilio,
        [
            (40, status(&sid(1), "received")),
            (40, status(&sid(2), "x").without("MessageStatus").without("SmsStatus")),
            (40, status(&sid(3), "tunnelled")),
        ],
    );
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Append).unwrap();
    let received_at = Timestamp::from(OffsetDateTime::now_utc() - time::Duration::hours(40));
    let by_simulation = crate::support::events::simulated(event(sent(&sid(4))));
    store::append_when_free(&*log, &[NewEvent { received_at, ..by_simulation }]).unwrap();
    drop(log);
    twilio.has(&sid(3), "delivered");

    let summary = reconcile(&app, &["--no-list"]);

    assert_eq!(counts(&summary, &["fetched", "appended"]), [&json!(1), &json!(1)]);
    assert!(twilio.requests()[0].contains(&sid(3)), "{:?}", twilio.requests());
}

#[test]
fn a_small_request_budget_is_shared_between_lists_and_messages() {
    let twilio = Twilio::start();
    let app = with(&twilio, (1..21).map(|number| (20 + i64::from(number), sent(&sid(number)))));
    (1..61).for_each(|number| twilio.has(&sid(number), "sent"));
    twilio.page_size(2);
    let share = |requests: &str| {
        let before = twilio.requests().len();
        reconcile(&app, &["--max-requests", requests]);
        let asked = twilio.requests().split_off(before);
        let lists = asked.iter().filter(|request| request.contains("Messages.json?")).count();
        (lists, asked.len() - lists)
    };
    assert_eq!(share("6"), (3, 3));
    assert_eq!(share("6"), (3, 3));
    // Requests alternate between the two.
    let (first, second) = (share("1"), share("1"));
    assert_eq!((first.0 + second.0, first.1 + second.1), (1, 1));
    // What messages leave goes to the lists.
    assert_eq!(share("100"), (30 - 7 + 1, 20 - 7), "and what has come since is listed");
}

#[test]
fn a_message_that_twilio_does_not_have_is_eventually_given_up() {
    let twilio = Twilio::start();
    let app = with(&twilio, (1..8).map(|number| (20 + i64::from(number), sent(&sid(number)))));
    twilio.has(&sid(7), "sent");
    for _ in 0..3 {
        let summary = reconcile(&app, &["--no-list"]);
        assert_eq!(counts(&summary, &["not_found", "given_up"]), [&json!(6), &json!(0)]);
    }
    let summary = reconcile(&app, &["--no-list"]);
    assert_eq!(
        counts(&summary, &["requests", "not_found", "given_up"]),
        [&json!(1), &json!(0), &json!(6)]
    );
    assert_eq!(reconcile(&app, &["--no-list", "--dry-run"])["to_fetch"], 1);
}

#[test]
fn a_message_that_twilio_rejects_does_not_block_the_others() {
    let twilio = Twilio::start();
    let app = with(&twilio, (1..11).map(|number| (20 + i64::from(number), sent(&sid(number)))));
    (1..11).for_each(|number| twilio.has(&sid(number), "delivered"));
    (0..8).for_each(|_| twilio.next(Fault::Refuse(400, 20001, "Parameter is invalid")));
    let summary = reconcile(&app, &["--no-list"]);
    assert_eq!(counts(&summary, &["failed", "appended"]), [&json!(8), &json!(2)]);
}

// As a property.

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))] // each makes a ledger

    /// For any callbacks and any status at Twilio, only facts that were not known are added.
    #[test]
    fn a_fact_is_added_only_once(
        heard in proptest::collection::vec(0_usize..6, 0..5), said in 0_usize..6,
        code in proptest::option::of(30001_u32..30004),
    ) {
        use delivery_ledger::domain::Source;
        use delivery_ledger::twilio::callback::ParsedCallback;
        use crate::support::ledger::Ledger;
        let words = ["queued", "sent", "delivered", "undelivered", "failed", "read"];
        let callbacks = heard.iter().map(|word| event(status(&sid(1), words[*word])));
        let ledger = Ledger::with_events(&callbacks.collect::<Vec<_>>());
        let answer = resource(Source::Reconcile, json!({
            "sid": sid(1), "account_sid": ACCOUNT, "status": words[said], "error_code": code,
        }));
        let reading = ParsedCallback::parse(&answer);
        let reported = reading.reported.clone().unwrap();
        let has = |ledger: &Ledger| {
            let message = reading.message_key().unwrap().message_sid;
            let messages = ledger.open_for_reading().views().find(&message).unwrap().1;
            messages.first().map(|message| message.lifecycle.evidence.clone())
        };
        let known = has(&ledger).is_some_and(|evidence| evidence.contains(&reported));
        prop_assert_eq!(known, heard.contains(&said) && code.is_none());
        let before = has(&ledger).map(|evidence| evidence.status());
        ledger.append(std::slice::from_ref(&answer));
        ledger.project();
        let after = has(&ledger).unwrap();
        prop_assert!(after.contains(&reported));
        // Never backwards, by the rule's own order.
        prop_assert!(before.flatten() <= after.status());
    }
}
