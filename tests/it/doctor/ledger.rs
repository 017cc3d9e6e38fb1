//! `doctor`'s checks on the log, the views, stuck messages, the clock and backups.

use std::fs;

use delivery_ledger::domain::{NewEvent, Timestamp};
use serde_json::{Value, json};

use super::{Page, delivered_just_now, doctor, examine, now, seconds_ago, sent_days_ago};
use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{delivered, sent, sid};

#[test]
fn an_unreadable_log_is_a_failed_check_and_the_other_checks_still_run() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    fs::write(
        ledger.log_file(),
        "this is no database, and it is longer than its header would be".repeat(9),
    )
    .unwrap();

    let page = examine(&ledger);

    assert_eq!((page.outcome("log"), page.code), ("fail", Some(3)));
    assert_eq!(page.outcome("ready"), "warn");
    assert!(page.find("views").is_none(), "the log's check has reported the reason");
}

/// Its settings are in a file that Cargo does not always read.
#[test]
fn sqlite_is_compiled_with_the_settings_of_this_repository() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    let page = examine(&ledger);
    assert_eq!(page.outcome("engine"), "ok", "{}", page.detail("engine"));
}

#[test]
fn a_log_changed_by_another_program_is_reported() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    ledger.log_sql("PRAGMA journal_mode = DELETE").unwrap();
    assert_eq!(examine(&ledger).outcome("engine"), "warn");

    let ledger = Ledger::with_events(&[delivered_just_now()]);
    ledger.log_sql("CREATE TABLE mine(x)").unwrap();
    let page = examine(&ledger);
    assert_eq!(page.outcome("guards"), "fail");
    assert!(page.detail("guards").contains("mine"));
}

#[test]
fn views_that_differ_from_the_log_are_reported() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    assert_eq!(examine(&ledger).detail("views"), "up to position 1 of 1");

    let another = Ledger::with_events(&[delivered_just_now()]);
    fs::copy(another.views_file(), ledger.views_file()).unwrap();
    assert_eq!(examine(&ledger).outcome("views"), "warn");

    let shortened = Ledger::with_events(&[delivered_just_now()]);
    fs::copy(shortened.log_file(), shortened.file("older.db")).unwrap();
    shortened.append(&[delivered_just_now()]);
    shortened.project();
    fs::copy(shortened.file("older.db"), shortened.log_file()).unwrap();
    let page = examine(&shortened);
    assert_eq!(page.outcome("views"), "fail");
    assert!(page.detail("views").contains("the log is older than its views"));
}

#[test]
fn missing_views_of_a_short_log_are_not_a_problem() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    fs::remove_file(ledger.views_file()).unwrap();

    let page = examine(&ledger);

    assert_eq!(page.detail("views"), "up to position 0 of 1");
    assert_eq!(page.outcome("views"), "ok");
}

#[test]
fn views_built_by_another_rule_are_reported() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);

    let page = doctor(&ledger.file(""), &[]).env("DELIVERY_LEDGER_RULE", "delivery-wins");

    assert_eq!(Page::from_command(page).outcome("rule"), "warn");
}

#[test]
fn stuck_messages_are_reported_with_the_last_reconcile_run() {
    let ledger = Ledger::with_events(&[sent_days_ago()]);
    let page = examine(&ledger);
    assert_eq!((page.outcome("stuck messages"), page.outcome("reconcile")), ("warn", "warn"));

    let ran = |ended_at: Timestamp, stopped_by: Value| {
        let last_run =
            json!({ "ended_at": ended_at.to_string(), "appended": 3, "stopped_by": stopped_by });
        let state = json!({ "last_run": last_run }).to_string();
        fs::write(ledger.file("ledger.reconcile.json"), state).unwrap();
        let page = examine(&ledger);
        (page.outcome("reconcile").to_owned(), page.detail("reconcile").to_owned())
    };
    assert_eq!(ran(now(), Value::Null).0, "ok");
    let long_ago = Timestamp::from_micros(now().micros() - 4 * 86_400_000_000);
    assert_eq!(ran(long_ago, Value::Null).0, "warn");
    let (outcome, detail) = ran(now(), json!("Twilio refuses account AC1"));
    assert_eq!(outcome, "warn");
    assert!(detail.contains("Twilio refuses account AC1"));
}

#[test]
fn a_clock_behind_the_log_is_reported() {
    let ahead = |seconds: i64| {
        let page =
            examine(&Ledger::with_events(&[seconds_ago(event(delivered(&sid(1))), -seconds)]));
        page.outcome("clock").to_owned()
    };
    assert_eq!(ahead(0), "ok");
    assert_eq!(ahead(30), "warn");
    assert_eq!(ahead(7200), "fail");
}

#[test]
fn a_clock_that_was_set_back_is_detected_from_arrival_times() {
    let (before, after) = (seconds_ago(event(delivered(&sid(1))), 60), event(sent(&sid(1))));
    let after = NewEvent {
        received_at: Timestamp::from_micros(before.received_at.micros() - 3_600_000_000),
        ..after
    };
    let page = examine(&Ledger::with_events(&[before.clone(), after.clone()]));
    assert_eq!(page.outcome("order of arrival"), "warn");
    assert_eq!(
        page.detail("order of arrival"),
        "the clock was set back by 3600 s between positions 1 and 2"
    );

    let noted = [("origin".to_owned(), "elsewhere".to_owned())].into();
    let page = examine(&Ledger::with_events(&[
        before.clone(),
        NewEvent { notes: noted, ..after },
        before,
    ]));
    assert_eq!(
        page.outcome("order of arrival"),
        "ok",
        "records of other sources have their own times"
    );
}

#[test]
fn the_last_backup_is_recorded() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    let copy = tempfile::tempdir().unwrap();
    let file = copy.path().join("copy.db");
    assert!(ledger.run(&["backup", file.to_str().unwrap()]).status.success());

    let page = examine(&ledger);
    assert_eq!(page.outcome("backup"), "ok");
    assert!(page.detail("backup").contains("up to position 1 of 1"), "{}", page.detail("backup"));
    let record = fs::read(ledger.file("ledger.backup.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["file"], file.canonicalize().unwrap().to_str().unwrap());

    let changed = |name: &str, value: Value| {
        let mut record = record.clone();
        record[name] = value;
        fs::write(ledger.file("ledger.backup.json"), record.to_string()).unwrap();
        let page = examine(&ledger);
        (page.outcome("backup").to_owned(), page.detail("backup").to_owned())
    };
    let (outcome, detail) = changed("ended_at", json!("2026-01-02T03:04:05.000000Z"));
    assert!(outcome == "warn" && detail.contains("days ago"), "{detail}");
    let (_, detail) = changed("ledger_id", json!("019a0000-0000-7000-8000-000000000000"));
    assert_eq!(detail, "none is known", "a new ledger has the same path");
    let (outcome, detail) = changed("position", json!(2));
    assert!(outcome == "warn" && detail.contains("shorter than its backup"), "{detail}");
}

#[test]
fn a_backup_succeeds_even_if_it_cannot_be_recorded() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    fs::create_dir(ledger.file("ledger.backup.json")).unwrap();

    let output = ledger.run(&["backup", "copy.db"]);

    assert!(output.status.success());
    assert!(ledger.file("copy.db").exists());
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not be recorded"));
}

#[test]
fn an_event_of_a_batch_is_a_callback_and_a_rechecked_one_is_older_than_it_seems() {
    let with_note = |name: &str| {
        let notes = [(name.to_owned(), "1".to_owned())].into();
        let event = NewEvent { notes, ..seconds_ago(event(sent(&sid(1))), 3600) };
        let page = examine(&Ledger::with_events(&[event]));
        page.find("silence").map(|check| check["detail"].clone())
    };
    for name in ["batch", "index", "of", "before", "after", "signed_by"] {
        assert_eq!(with_note(name).unwrap(), "the last callback was accepted 60 min ago", "{name}");
    }
    assert_eq!(with_note("rechecked_at"), None);
}

#[test]
fn an_unusual_silence_is_a_failed_check() {
    // One callback every ten seconds around this time of the day, in each of the last days.
    let usual = (1..=2).rev().flat_map(|day| {
        (-60..60).rev().map(move |step| seconds_ago(event(sent(&sid(3))), day * 86_400 + step * 10))
    });
    let with_last = |seconds: i64| {
        let last = seconds_ago(event(delivered(&sid(3))), seconds);
        examine(&Ledger::with_events(&usual.clone().chain([last]).collect::<Vec<_>>()))
    };

    let page = with_last(600);
    assert_eq!(page.outcome("silence"), "fail");
    let detail = page.detail("silence");
    assert!(
        detail.starts_with("no callback was accepted for 10 min; usual at this hour: one every "),
        "{detail}"
    );
    assert!(detail.contains("no gap over 10 s in 7 days"), "{detail}");

    assert_eq!(with_last(60).outcome("silence"), "ok");
    let young = examine(&Ledger::with_events(&[seconds_ago(event(sent(&sid(1))), 3600)]));
    assert_eq!(young.detail("silence"), "the last callback was accepted 60 min ago");
}
