//! Asking Twilio: nothing lost, nothing twice, nothing backwards, whatever goes wrong on the way.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Duration;

use delivery_ledger::domain::{NewEvent, Timestamp};
use delivery_ledger::simulate;
use delivery_ledger::store::{self, Access, Database};
use proptest::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::events::{event, resource};
use crate::support::twilio::{Fault, TEXT, Twilio};
use crate::support::{ACCOUNT, App, MessageBody, OTHER_ACCOUNT, delivered, sent, sid, status};

/// The tests configure another account, which the fake does not have.
const OF_ONE_ACCOUNT: [&str; 5] = ["reconcile", "--format", "json", "--account-sid", ACCOUNT];

/// A ledger beside a fake Twilio, with these callbacks received so many hours ago.
fn with(twilio: &Twilio, events: impl IntoIterator<Item = (i64, MessageBody)>) -> App {
    let (name, url) = twilio.variable();
    let app = App::not_started(&[(name, &url), ("TWILIO_API_TIMEOUT", "1s")]);
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
    let hours_ago = |(hours, body): (i64, MessageBody)| NewEvent {
        received_at: Timestamp::from(OffsetDateTime::now_utc() - time::Duration::hours(hours)),
        ..event(body)
    };
    log.append(&events.into_iter().map(hours_ago).collect::<Vec<_>>()).unwrap();
    drop(log);
    app
}

fn reconcile(app: &App, arguments: &[&str]) -> Value {
    app.json(&[&OF_ONE_ACCOUNT, arguments].concat())
}

/// What came of a run that did not get to its end.
fn stopped(app: &App, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output: Output = app.run(&[&OF_ONE_ACCOUNT, arguments].concat());
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), json, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn statuses(app: &App) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = app.messages();
    messages.iter().map(|one| (text(&one["message_sid"]), text(&one["status"]))).collect()
}

fn counts<'a>(summary: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    names.iter().map(|name| &summary[name]).collect()
}

// One by one.

#[test]
fn messages_that_are_open_for_long_are_fetched_and_no_others() {
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
fn an_answer_is_an_event_only_where_it_adds_a_fact() {
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
fn what_twilio_says_never_moves_a_message_backwards() {
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
fn the_text_of_messages_is_not_kept_unless_asked_for() {
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
fn every_page_is_read_and_messages_never_heard_of_are_found() {
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
fn after_one_run_every_message_is_as_it_is_at_twilio() {
    let twilio = Twilio::start();
    let mut app = with(&twilio, []);
    let plan = simulate::Plan {
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
        // One in twenty is lost.
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
    std::thread::sleep(Duration::from_millis(1100));
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
fn what_is_no_outbound_message_and_what_a_simulation_sent_is_not_fetched() {
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
fn lists_and_messages_have_their_share_of_few_requests() {
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
    // One request goes to either in turn.
    let (first, second) = (share("1"), share("1"));
    assert_eq!((first.0 + second.0, first.1 + second.1), (1, 1));
    // What messages leave goes to the lists.
    assert_eq!(share("100"), (30 - 7 + 1, 20 - 7), "and what has come since is listed");
}

#[test]
fn a_message_that_twilio_does_not_have_is_not_asked_for_forever() {
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
fn messages_that_twilio_does_not_take_the_question_for_do_not_keep_it_from_the_others() {
    let twilio = Twilio::start();
    let app = with(&twilio, (1..11).map(|number| (20 + i64::from(number), sent(&sid(number)))));
    (1..11).for_each(|number| twilio.has(&sid(number), "delivered"));
    (0..8).for_each(|_| twilio.next(Fault::Refuse(400, 20001, "Parameter is invalid")));
    let summary = reconcile(&app, &["--no-list"]);
    assert_eq!(counts(&summary, &["failed", "appended"]), [&json!(8), &json!(2)]);
}

#[test]
fn twilios_own_message_is_repeated_with_what_to_do() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(40, sent(&sid(1)))]);
    twilio.has(&sid(1), "delivered");
    let message = "Messages older than 400 days cannot be listed.";
    twilio.next(Fault::Refuse(400, 20004, message));
    let (code, summary, stderr) = stopped(&app, &["--since", "2024-01-01"]);
    assert_eq!(code, Some(1));
    for told in [
        "HTTP 400, error 20004: Messages older than 400 days cannot be listed",
        "https://www.twilio.com/docs/errors/20004",
        "--since",
    ] {
        assert!(stderr.contains(told), "{told}: {stderr}");
        assert!(summary["stopped_by"].as_str().unwrap().contains(told), "{told}: {summary}");
    }
    assert_eq!(summary["appended"], 1, "messages are asked for all the same");

    twilio.always(Some(Fault::Refuse(401, 20003, "Authentication Error - invalid username")));
    let (_, _, stderr) = stopped(&app, &["--since", "2024-01-01"]);
    assert!(stderr.contains("error 20003, Authentication Error - invalid username"), "{stderr}");
}

// What goes wrong.

#[test]
fn whatever_goes_wrong_once_is_asked_again_and_nothing_is_lost() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(40, sent(&sid(1)))]);
    (1..31).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(10);
    for fault in [
        Fault::Answer(429, Some(1)),
        Fault::Answer(500, None),
        Fault::Cut,
        Fault::DoneAndCut,
        Fault::Hang(Duration::from_millis(1500)),
    ] {
        twilio.next(fault);
    }
    let summary = reconcile(&app, &[]);
    assert_eq!(counts(&summary, &["appended", "failed"]), [&json!(30), &json!(0)]);
    assert_eq!(statuses(&app).values().filter(|status| *status == "delivered").count(), 30);
}

#[test]
fn a_page_that_comes_twice_adds_nothing_and_a_circle_ends() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    (1..31).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(10);
    twilio.next(Fault::SamePageAgain);
    let summary = reconcile(&app, &[]);
    assert_eq!(counts(&summary, &["listed", "appended"]), [&json!(40), &json!(30)]);

    twilio.always(Some(Fault::SamePageAgain));
    let circle = reconcile(&app, &[]);
    assert_eq!(counts(&circle, &["requests", "appended"]), [&json!(3), &json!(0)]);
    twilio.always(None);
    assert_eq!(reconcile(&app, &[])["listed"], 30);
}

#[test]
fn wrong_credentials_end_it_at_once() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(40, sent(&sid(1))), (40, sent(&sid(2)))]);
    twilio.always(Some(Fault::Answer(401, None)));
    let (code, _, stderr) = stopped(&app, &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("Twilio refuses account {ACCOUNT} (HTTP 401)")), "{stderr}");
    assert_eq!(twilio.requests().len(), 1);
}

#[test]
fn an_account_that_twilio_refuses_does_not_keep_the_others_waiting() {
    let twilio = Twilio::start();
    let app = with(
        &twilio,
        [
            (40, sent(&sid(1))),
            (30, sent(&sid(2)).with("AccountSid", OTHER_ACCOUNT)),
            (20, sent(&sid(3)).with("AccountSid", OTHER_ACCOUNT)),
        ],
    );
    twilio.has(&sid(1), "delivered");
    let output = app.run(&["reconcile", "--format", "json"]);
    let (stderr, summary) = (String::from_utf8_lossy(&output.stderr), &output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains(&format!("Twilio refuses account {OTHER_ACCOUNT}")), "{stderr}");
    let summary: Value = serde_json::from_slice(summary).unwrap();
    assert_eq!(counts(&summary, &["appended", "requests"]), [&json!(1), &json!(3)]);
    assert_eq!(statuses(&app)[&sid(1)], "delivered");
}

#[test]
fn a_bound_on_requests_is_kept_and_the_next_run_goes_on_there() {
    let twilio = Twilio::start();
    let app = with(&twilio, (1..8).map(|number| (20 + i64::from(number), sent(&sid(number)))));
    (1..8).for_each(|number| twilio.has(&sid(number), "delivered"));
    let summary = reconcile(&app, &["--no-list", "--max-requests", "3"]);
    assert_eq!(counts(&summary, &["requests", "appended"]), [&json!(3), &json!(3)]);
    assert!(summary["stopped_by"].as_str().unwrap().contains("used up"), "{summary}");
    assert_eq!(reconcile(&app, &["--no-list"])["requests"], 4);
    let asked = twilio.requests();
    assert_eq!(asked.iter().collect::<std::collections::BTreeSet<_>>().len(), 7, "{asked:?}");
}

#[test]
fn a_list_of_a_chosen_time_goes_on_too_and_does_not_stand_for_the_last_day() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    let long_ago = json!({"date_sent": "Wed, 11 Nov 2026 10:00:00 +0000"});
    (1..51).for_each(|number| twilio.has_with(&sid(number), "delivered", long_ago.clone()));
    (51..56).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(10);
    let chosen = ["--since", "2026-11-11"];
    reconcile(&app, &[&chosen[..], &["--max-requests", "2"]].concat());
    // In between the last day is listed, and whole.
    assert_eq!(reconcile(&app, &[])["listed"], 5);
    assert_eq!(reconcile(&app, &chosen)["listed"], 55, "another list came in between");
    assert_eq!(statuses(&app).len(), 55);

    reconcile(&app, &[&chosen[..], &["--max-requests", "4"]].concat());
    let rest = reconcile(&app, &chosen);
    assert_eq!(counts(&rest, &["listed", "requests"]), [&json!(15), &json!(3)]);
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    (1..201).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(10);
    twilio.slow(Duration::from_millis(100));
    for _ in 0..3 {
        let before = twilio.requests().len();
        let mut child = app.command(&OF_ONE_ACCOUNT).spawn();
        app.eventually("some pages are read", || twilio.requests().len() >= before + 5);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    twilio.slow(Duration::ZERO);
    let rest = reconcile(&app, &[]);

    // Each kill costs the page that was on its way. Behind the old window comes what is new since.
    assert!(rest["requests"].as_u64().unwrap() <= 20 - 12 + 1, "{rest}");
    assert!(twilio.requests().len() <= 20 + 3 + 1, "{}", twilio.requests().len());
    assert_eq!(statuses(&app).len(), 200);
    assert_eq!(app.events().len(), 200, "nothing twice");
}

#[test]
fn where_the_log_cannot_be_appended_to_nothing_counts_as_done() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(40, sent(&sid(1)))]);
    twilio.has(&sid(1), "delivered");
    twilio.slow(Duration::from_millis(500));
    let child = app.command(&[&OF_ONE_ACCOUNT[..], &["--no-list"]].concat()).spawn();
    app.eventually("it asks", || !twilio.requests().is_empty());
    let aside = app.folder().join("aside.db");
    std::fs::rename(app.log_file(), &aside).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1));
    std::fs::rename(&aside, app.log_file()).unwrap();
    assert_eq!(reconcile(&app, &["--no-list"])["appended"], 1);
    assert_eq!(statuses(&app)[&sid(1)], "delivered");
}

#[test]
fn one_run_works_at_a_time_and_ctrl_c_ends_it_where_it_is() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    (1..101).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(10);
    twilio.slow(Duration::from_millis(400));
    let child = app.command(&OF_ONE_ACCOUNT).spawn();
    app.eventually("it is at work", || twilio.requests().len() >= 2);
    let (code, _, stderr) = stopped(&app, &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("another reconcile is at work"), "{stderr}");
    let process = child.id().to_string();
    assert!(
        std::process::Command::new("kill").args(["-INT", &process]).status().unwrap().success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["stopped_by"], "stopped");
    twilio.slow(Duration::ZERO);
    let (before, rest) = (summary["listed"].as_u64().unwrap(), reconcile(&app, &[]));
    assert_eq!(before + rest["listed"].as_u64().unwrap(), 100);
}

#[test]
fn progress_of_another_ledger_is_none() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(30, sent(&sid(1))), (30, sent(&sid(2)))]);
    reconcile(&app, &["--no-list", "--max-requests", "1"]);
    for file in ["ledger.db", "ledger.views.db"] {
        std::fs::remove_file(app.folder().join(file)).unwrap();
    }
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
    let received_at = Timestamp::from(OffsetDateTime::now_utc() - time::Duration::hours(30));
    let bodies = (3..6).map(|number| NewEvent { received_at, ..event(sent(&sid(number))) });
    log.append(&bodies.collect::<Vec<_>>()).unwrap();
    drop(log);
    assert_eq!(reconcile(&app, &["--no-list"])["not_found"], 3);
}

#[test]
fn a_dry_run_asks_nobody_and_changes_nothing() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(40, sent(&sid(1))), (1, sent(&sid(2)))]);
    twilio.has(&sid(1), "delivered");
    let preview = reconcile(&app, &["--dry-run"]);
    assert_eq!((&preview["dry_run"], &preview["to_fetch"]), (&json!(true), &json!(1)));
    let accounts: Vec<_> =
        preview["lists"].as_array().unwrap().iter().map(|list| &list["account_sid"]).collect();
    assert_eq!(accounts[0], ACCOUNT);
    assert_eq!(twilio.requests(), [""; 0]);
    assert_eq!(app.events().len(), 2);
    assert!(!app.folder().join("ledger.reconcile.json").exists());
    let text = String::from_utf8(app.run(&["reconcile", "--dry-run"]).stdout).unwrap();
    assert!(text.starts_with("1 open messages would be fetched.\n"), "{text}");
}

#[test]
fn flags_that_mean_nothing_are_refused() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    for arguments in [
        &["--older-than", "soon"][..],
        &["--older-than", "80h"],
        &["--since", "yesterday"],
        &["--since", "2026-11-12", "--until", "2026-11-11"],
        &["--until", "2026-11-11"],
        &["--no-list", "--no-fetch"],
    ] {
        assert_eq!(stopped(&app, arguments).0, Some(2), "{arguments:?}");
    }
}

// Beside a server.

#[test]
fn a_server_notices_what_reconcile_has_appended() {
    let twilio = Twilio::start();
    let mut app = with(&twilio, [(40, sent(&sid(1)))]);
    twilio.has(&sid(1), "delivered");
    app.restart();
    assert_eq!(app.message(&sid(1))["status"], "sent");
    assert_eq!(reconcile(&app, &[])["appended"], 1);
    app.caught_up_to(2);
    assert_eq!(app.message(&sid(1))["status"], "delivered");
    // Its own writer goes on behind it.
    assert_eq!(app.receive(sent(&sid(2))).code, 200);
    assert_eq!(app.events().len(), 3);
}

#[test]
fn under_load_positions_stay_right() {
    let twilio = Twilio::start();
    let mut app = with(&twilio, []);
    (1..301).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(5);
    app.restart();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let app = &app;
            scope.spawn(move || {
                for number in 0..150 {
                    let body = sent(&sid(1000 + 1000 * thread + number));
                    assert_eq!(app.receive(body).code, 200);
                }
            });
        }
        assert_eq!(reconcile(&app, &[])["appended"], 300);
    });
    app.caught_up_to(900);
    let events = app.events();
    let positions: Vec<_> =
        events.iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert_eq!(positions, (1..901).collect::<Vec<_>>());
    assert!(app.run(&["verify"]).status.success());
}

#[test]
fn a_server_reconciles_by_itself_and_tells_what_it_does() {
    let twilio = Twilio::start();
    let mut app = with(&twilio, [(40, sent(&sid(1)))]);
    twilio.has(&sid(1), "delivered");
    app.configure("[reconcile]\nevery = \"1s\"\nolder_than = \"6h\"\nmax_requests = 50\n");
    // The second account of the tests is not the fake's.
    let alone = std::fs::read_to_string(app.folder().join("delivery-ledger.toml")).unwrap();
    let section = alone.find("[reconcile]").unwrap();
    std::fs::write(app.folder().join("delivery-ledger.toml"), &alone[section..]).unwrap();
    app.restart();
    app.eventually("it is found", || app.message(&sid(1))["status"] == "delivered");
    let value = |name: &str| {
        let text = String::from_utf8(app.get("/metrics").body).unwrap();
        let series = format!("delivery_ledger_reconcile_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).parse::<f64>().unwrap()
    };
    app.eventually("a run has ended", || value("runs_total") >= 1.0);
    assert_eq!((value("appended_total"), value("stopped_total")), (1.0, 0.0));
    assert!(value("requests_total") >= 1.0 && value("timestamp_seconds") > 1e9);
    twilio.always(Some(Fault::Answer(401, None)));
    app.eventually("a run has stopped", || value("stopped_total") >= 1.0);
    assert!(app.stderr().contains("reconciling stopped"), "{}", app.stderr());
    assert!(!app.stderr().contains("+1555"), "{}", app.stderr());
}

#[test]
fn a_server_that_is_told_to_reconcile_wrongly_does_not_start() {
    let app = App::not_started(&[("DELIVERY_LEDGER_RECONCILE_EVERY", "often")]);
    let output = app.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("DELIVERY_LEDGER_RECONCILE_EVERY: `often`"), "{stderr}");
}

// As a law.

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))] // each makes a ledger

    /// Whatever callbacks were heard, and whatever Twilio says: what it adds is what was not known.
    #[test]
    fn what_was_added_once_is_known(
        heard in proptest::collection::vec(0_usize..6, 0..5), said in 0_usize..6,
        code in proptest::option::of(30001_u32..30004),
    ) {
        use delivery_ledger::domain::Source;
        use delivery_ledger::twilio::callback::Reading;
        use crate::support::ledger::Ledger;
        let words = ["queued", "sent", "delivered", "undelivered", "failed", "read"];
        let callbacks = heard.iter().map(|word| event(status(&sid(1), words[*word])));
        let ledger = Ledger::of(&callbacks.collect::<Vec<_>>());
        let answer = resource(Source::Reconcile, json!({
            "sid": sid(1), "account_sid": ACCOUNT, "status": words[said], "error_code": code,
        }));
        let reading = Reading::of(&answer);
        let reported = reading.reported.clone().unwrap();
        let has = |ledger: &Ledger| {
            let message = reading.message_key().unwrap().message_sid;
            let messages = ledger.open_for_reading().views().find(&message).unwrap().1;
            messages.first().map(|message| message.lifecycle.evidence.clone())
        };
        let known = has(&ledger).is_some_and(|evidence| evidence.has(&reported));
        prop_assert_eq!(known, heard.contains(&said) && code.is_none());
        let before = has(&ledger).map(|evidence| evidence.status());
        ledger.append(std::slice::from_ref(&answer));
        ledger.project();
        let after = has(&ledger).unwrap();
        prop_assert!(after.has(&reported));
        // Never backwards, by the rule's own order.
        prop_assert!(before.flatten() <= after.status());
    }
}
