//! Imports that are killed, and imports next to a running server.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{events, export, file, imported, statuses};
use crate::support::events::event;
use crate::support::ledger::{Ledger, findings};
use crate::support::{ACCOUNT, App, delivered, sent, sid};

const MANY: u32 = 4_000;

/// Many events of a ledger, as lines.
fn many_events() -> String {
    let events = (0..MANY).map(|number| event(sent(&sid(number)))).collect::<Vec<_>>();
    export(&Ledger::with_events(&events), &["events"])
}

/// Many records of Twilio.
fn many_records() -> String {
    let record = |number| json!({ "sid": sid(number), "account_sid": ACCOUNT, "status": "sent", "to": "+1" });
    (0..MANY).map(|number| format!("{}\n", record(number))).collect()
}

/// Kills an import once it has appended something.
fn killed(ledger: &Ledger, path: &str) -> u64 {
    let mut child = ledger.command(&["import", path]).stdout(Stdio::null()).spawn();
    let head = || match ledger.log_file().exists() {
        // The tables may not exist yet.
        true => rusqlite::Connection::open(ledger.log_file())
            .and_then(|log| log.query_row("SELECT count(*) FROM events", [], |row| row.get(0)))
            .unwrap_or(0),
        false => 0_u64,
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while head() == 0 {
        assert!(Instant::now() < deadline, "the import appends nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    head()
}

#[test]
fn a_killed_import_is_completed_by_repeating_it() {
    for content in [many_events(), many_records()] {
        let ledger = Ledger::new();
        let path = file(&ledger, "input", content);
        let before = killed(&ledger, &path);
        assert!(before < u64::from(MANY), "the import was killed too late for this test");

        let rest = u64::from(MANY) - before;
        assert_eq!(imported(&ledger, &[&path]), [rest, before, 0, 0]);

        assert_eq!(events(&ledger).len(), MANY as usize);
        assert_eq!(statuses(&ledger).len(), MANY as usize);
        assert_eq!(findings(&ledger.verify(&[]).1), [""; 0]);
        let folder = super::names(ledger.file("x").parent().unwrap());
        assert!(folder.iter().all(|name| name == "input" || name.starts_with("ledger.")));
    }
}

#[test]
fn an_import_next_to_a_server_delays_no_callback() {
    let app = App::start();
    assert_eq!(app.receive(delivered(&sid(0))).code, 200);
    let path = app.folder().join("records.ndjson");
    std::fs::write(&path, many_records()).unwrap();
    let mut import = app.command(&["import", path.to_str().unwrap()]).stdout(Stdio::null()).spawn();

    let mut answered = 0;
    let mut slowest = Duration::ZERO;
    while import.try_wait().unwrap().is_none() {
        let begun = Instant::now();
        assert_eq!(app.receive(delivered(&sid(answered % 50))).code, 200);
        slowest = slowest.max(begun.elapsed());
        answered += 1;
    }
    assert!(import.wait().unwrap().success());

    assert!(slowest < Duration::from_secs(5), "{slowest:?} after {answered} callbacks");
    let head = app.events().len() as u64;
    app.caught_up_to(head);
    assert_eq!(app.message(&sid(0))["status"], "delivered");
    assert_eq!(app.message(&sid(MANY - 1))["status"], "sent");
    let report = app.json(&["import", "--report", "json", path.to_str().unwrap()]);
    assert_eq!((&report["appended"], &report["known"]), (&json!(0), &json!(MANY)));
    let verified = app.run(&["verify", "--format", "json"]).stdout;
    let verified: Value = serde_json::from_slice(&verified).unwrap();
    assert_eq!(findings(&verified), [""; 0], "{verified}");
}
