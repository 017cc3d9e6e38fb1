//! What others see of an erased message.

use serde_json::{Value, json};

use super::{ADDRESS, audit, erased, stderr, story};
use crate::support::events::{event, resource};
use crate::support::ledger::{Ledger, findings};
use crate::support::{ACCOUNT, App, assert_problem, delivered, sent, sid};

fn erase_of_app(app: &App, arguments: &[&str]) {
    let output = app.run(&[&["erase", "--request", "DSR-1", "--yes"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn an_erased_message_is_gone_and_says_since_when() {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    app.receive(delivered(&sid(2)));
    app.caught_up();
    erase_of_app(&app, &["--message", &sid(1)]);
    app.caught_up_to(3);

    let erasure = app.get("/v1/events/3").json();
    let expected = format!(
        "this message was erased at {}, as the event at position 3 records",
        erasure["received_at"].as_str().unwrap()
    );
    assert_problem(&app.get(&format!("/v1/messages/{}", sid(1))), 410, &expected);
    let of_account = format!("/v1/messages/{}?account_sid={ACCOUNT}", sid(1));
    assert_problem(&app.get(&of_account), 410, &expected);
    assert_eq!(app.get(&format!("/v1/messages/{}", sid(9))).code, 404);
    let output = app.run(&["audit", &sid(1)]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("the event at position 3"), "{}", stderr(&output));
}

/// Even if it was the only message of its account.
#[test]
fn an_erased_message_is_found_without_its_account() {
    let ledger = Ledger::with_events(&[event(delivered(&sid(1)))]);
    erased(&ledger, &["--message", &sid(1)]);
    let output = ledger.run(&["audit", &sid(1)]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("was erased"), "{}", stderr(&output));
}

#[test]
fn a_callback_of_an_erased_message_is_stored_counted_and_shown_nowhere() {
    let app = App::start();
    app.receive(sent(&sid(1)));
    app.receive(sent(&sid(2)));
    app.caught_up();
    erase_of_app(&app, &["--message", &sid(1), "--open"]);

    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();

    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    assert!(metrics.contains("\ndelivery_ledger_events_of_erased_messages 1\n"), "{metrics}");
    let sids: Vec<_> =
        app.messages().iter().map(|message| message["message_sid"].clone()).collect();
    assert_eq!(sids, [json!(sid(2))]);
    assert_eq!(app.get(&format!("/v1/messages/{}", sid(1))).code, 410);
    assert_eq!(app.get("/v1/events/4/body").code, 200, "it is in the log");
    let verified: Value =
        serde_json::from_slice(&app.run(&["verify", "--format", "json"]).stdout).unwrap();
    assert_eq!(findings(&verified), [""; 0]);
    erase_of_app(&app, &["--again"]);
    assert_eq!(app.get("/v1/events/4/body").code, 410);
}

#[test]
fn erased_messages_are_not_imported_again() {
    let ledger = Ledger::with_events(&story(20));
    let exported = ledger.run(&["export", "events"]).stdout;
    std::fs::write(ledger.file("before.ndjson"), exported).unwrap();
    erased(&ledger, &["--address", ADDRESS]);
    let head = ledger.open_for_reading().head().unwrap();

    let output = ledger.run(&["import", "before.ndjson"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = resource(
        delivery_ledger::domain::Source::Import,
        json!({ "sid": sid(10), "account_sid": ACCOUNT, "status": "delivered",
            "direction": "outbound-api", "to": ADDRESS, "from": "+15017250604", "body": "",
            "date_created": "Fri, 02 Jan 2026 03:04:05 +0000",
            "date_updated": "Fri, 02 Jan 2026 03:04:06 +0000" }),
    );
    std::fs::write(ledger.file("record.json"), &record.body).unwrap();
    let output = ledger.run(&["import", "record.json", "--account-sid", ACCOUNT]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    assert_eq!(ledger.open_for_reading().head().unwrap(), head, "nothing was imported");

    assert_eq!(audit(&ledger, &sid(10)), Some(4));
}

#[test]
fn a_restored_backup_repeats_the_erasures() {
    let ledger = Ledger::with_events(&story(30));
    assert_eq!(ledger.run(&["backup", "old.db"]).status.code(), Some(0));
    erased(&ledger, &["--address", ADDRESS]);
    let record = ledger.run(&["erase", "--record"]).stdout;
    std::fs::write(ledger.file("erasures.json"), record).unwrap();

    let restored = ["--database", "sqlite:restored/ledger.db"];
    let restore = ["restore", "old.db", "--erasures", "erasures.json"];
    let output = ledger.run(&[&restored[..], &restore].concat());

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(super::files_with(&ledger.file("restored"), super::DIGITS), [""; 0]);
    let verify = [&restored[..], &["verify"]].concat();
    assert_eq!(ledger.run(&verify).status.code(), Some(0));

    let other = Ledger::with_events(&story(10));
    std::fs::copy(other.log_file(), ledger.file("other.db")).unwrap();
    let restore =
        ["--database", "sqlite:x.db", "restore", "other.db", "--erasures", "erasures.json"];
    let output = ledger.run(&restore);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("nothing was restored"), "{}", stderr(&output));
}

/// Restores a backup next to a ledger, with a record of erasures.
fn restore_with_erasures(ledger: &Ledger) -> std::process::Output {
    let database = ["--database", "sqlite:restored/ledger.db"];
    let restore = ["restore", "old.db", "--erasures", "erasures.json"];
    ledger.run(&[&database[..], &restore].concat())
}

#[test]
fn a_record_of_erasures_with_a_wrong_id_restores_nothing() {
    let ledger = Ledger::with_events(&story(10));
    assert_eq!(ledger.run(&["backup", "old.db"]).status.code(), Some(0));
    let record = json!({
        "ledger_id": ledger.open_for_reading().ledger_id().to_string(),
        "erasures": [{ "position": 1, "events": ["no-id"] }],
    });
    std::fs::write(ledger.file("erasures.json"), record.to_string()).unwrap();
    let output = restore_with_erasures(&ledger);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("`no-id`"), "{}", stderr(&output));
    assert!(!ledger.file("restored/ledger.db").exists());
}

#[test]
fn a_restored_ledger_has_an_unfinished_erasure_until_everything_is_erased_again() {
    let ledger = Ledger::with_events(&story(10));
    assert_eq!(ledger.run(&["backup", "old.db"]).status.code(), Some(0));
    erased(&ledger, &["--address", ADDRESS]);
    let record = ledger.run(&["erase", "--record"]).stdout;
    std::fs::write(ledger.file("erasures.json"), record).unwrap();
    // The erasure cannot take its lock, and fails before its first transaction.
    std::fs::create_dir_all(ledger.file("restored/ledger.erasure.json.lock")).unwrap();

    let output = restore_with_erasures(&ledger);

    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("restore it again"), "{}", stderr(&output));
    let state = std::fs::read(ledger.file("restored/ledger.erasure.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(state["unfinished"], true);
}
