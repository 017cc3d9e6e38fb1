//! Bounded, interrupted and repeated runs, flags, and runs alongside or inside a server.

use std::time::Duration;

use delivery_ledger::domain::{NewEvent, Timestamp};
use delivery_ledger::store;
use delivery_ledger::store::{Access, Database};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{OF_ONE_ACCOUNT, counts, reconcile, statuses, stopped, with};
use crate::support::events::event;
use crate::support::twilio::{Fault, Twilio};
use crate::support::{ACCOUNT, App, sent, sid};

#[test]
fn a_request_limit_is_respected_and_the_next_run_continues() {
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
fn an_interrupted_list_of_a_chosen_window_continues_and_does_not_replace_the_daily_one() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    let long_ago = json!({"date_sent": "Wed, 11 Nov 2026 10:00:00 +0000"});
    (1..51).for_each(|number| twilio.has_with(&sid(number), "delivered", long_ago.clone()));
    (51..56).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(10);
    let chosen = ["--since", "2026-11-11"];
    reconcile(&app, &[&chosen[..], &["--max-requests", "2"]].concat());
    // In between, the last day is listed completely.
    assert_eq!(reconcile(&app, &[])["listed"], 5);
    assert_eq!(reconcile(&app, &chosen)["listed"], 55, "another list came in between");
    assert_eq!(statuses(&app).len(), 55);

    reconcile(&app, &[&chosen[..], &["--max-requests", "4"]].concat());
    let rest = reconcile(&app, &chosen);
    assert_eq!(counts(&rest, &["listed", "requests"]), [&json!(15), &json!(3)]);
}

#[test]
fn a_killed_run_continues_where_it_stopped() {
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
fn progress_is_not_saved_if_the_append_fails() {
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
fn only_one_run_at_a_time_and_ctrl_c_stops_it() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    (1..101).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(2);
    twilio.slow(Duration::from_millis(400));
    let child = app.command(&OF_ONE_ACCOUNT).spawn();
    app.eventually("it is at work", || twilio.requests().len() >= 2);
    let (code, _, stderr) = stopped(&app, &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("another reconcile is running"), "{stderr}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["stopped_by"], "stopped");
    twilio.slow(Duration::ZERO);
    let (before, rest) = (summary["listed"].as_u64().unwrap(), reconcile(&app, &[]));
    assert_eq!(before + rest["listed"].as_u64().unwrap(), 100);
}

#[test]
fn progress_of_another_ledger_is_ignored() {
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
fn a_dry_run_sends_no_request_and_changes_nothing() {
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
fn meaningless_flags_are_rejected() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    for arguments in [
        &["--older-than", "soon"][..],
        &["--older-than", "80h"],
        &["--since", "soon"],
        &["--since", "2026-11-12", "--until", "2026-11-11"],
        &["--until", "2026-11-11"],
        &["--no-list", "--no-fetch"],
    ] {
        assert_eq!(stopped(&app, arguments).0, Some(2), "{arguments:?}");
    }
}

// Alongside a server.

#[test]
fn a_server_projects_events_appended_by_reconcile() {
    let twilio = Twilio::start();
    let mut app = with(&twilio, [(40, sent(&sid(1)))]);
    twilio.has(&sid(1), "delivered");
    app.restart();
    assert_eq!(app.message(&sid(1))["status"], "sent");
    assert_eq!(reconcile(&app, &[])["appended"], 1);
    app.caught_up_to(2);
    assert_eq!(app.message(&sid(1))["status"], "delivered");
    // The server's own writer continues after the new events.
    assert_eq!(app.receive(sent(&sid(2))).code, 200);
    assert_eq!(app.events().len(), 3);
}

#[test]
fn positions_stay_correct_under_load() {
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
fn a_server_reconciles_automatically_and_logs_it() {
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
    assert_eq!(value("every_seconds"), 1.0);
    twilio.always(Some(Fault::Response(401, None)));
    app.eventually("a run has stopped", || value("stopped_total") >= 1.0);
    assert!(app.stderr().contains("reconciling stopped"), "{}", app.stderr());
    assert!(!app.stderr().contains("+1555"), "{}", app.stderr());
}

#[test]
fn a_server_with_invalid_reconcile_settings_does_not_start() {
    let app = App::not_started(&[("DELIVERY_LEDGER_RECONCILE_EVERY", "often")]);
    let output = app.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("DELIVERY_LEDGER_RECONCILE_EVERY: `often`"), "{stderr}");
}
