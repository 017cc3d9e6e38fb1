//! Background work of a server: verification of the log, and WAL checkpoints, which may be left to
//! another program.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::ledger::damage;
use crate::support::{App, delivered, sent, sid};

fn verified(app: &App) -> Value {
    app.get("/readyz").json()["verified"].clone()
}

#[test]
fn a_server_verifies_its_log_and_reports_the_result() {
    let app = App::start_with(&["--verify-every", "1s"]);
    assert_eq!(verified(&app), Value::Null, "nothing has been verified yet");
    (0..30).for_each(|number| assert_eq!(app.receive(sent(&sid(number))).code, 200));

    app.eventually("the log is verified", || verified(&app)["position"] == 30);

    let verified = verified(&app);
    assert_eq!(verified["findings"], 0, "{verified}");
    assert_eq!(verified["error"], Value::Null);
    assert!(verified["at"].as_str().unwrap().ends_with('Z'));
    let reported =
        || app.stderr().contains("the log was verified up to position 30: nothing is wrong");
    app.eventually("it is logged", reported);
}

#[test]
fn findings_are_logged_and_callbacks_are_still_accepted() {
    let app = App::start_with_env(&[("DELIVERY_LEDGER_VERIFY_EVERY", "1s")], &[]);
    (0..30).for_each(|number| assert_eq!(app.receive(sent(&sid(number))).code, 200));
    app.caught_up();

    damage(&app.log_file(), |log| {
        log.execute("UPDATE events SET received_at = 0 WHERE position = 17", []).unwrap();
    });

    app.eventually("it is found", || verified(&app)["findings"] == 1);
    let expected = "changed-events: positions 1 to 30 are not what was read there before";
    app.eventually("it is logged", || app.stderr().contains(expected));
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    assert_eq!(app.get("/readyz").code, 200, "a finding must not make the server unready");
}

#[test]
fn a_failed_verification_is_reported() {
    let app = App::start_with(&["--verify-every", "1s"]);
    app.receive(sent(&sid(1)));
    app.eventually("the log is verified", || verified(&app)["position"] == 1);

    let aside = app.folder().join("aside.db");
    std::fs::rename(app.log_file(), &aside).unwrap();
    app.eventually("it is logged", || verified(&app)["error"].is_string());
    std::fs::rename(aside, app.log_file()).unwrap();

    let error = app.stderr();
    assert!(error.contains("the log could not be verified"), "{error}");
    app.eventually("the log is verified again", || verified(&app)["position"] == 1);
}

#[test]
fn verification_can_be_turned_off() {
    // The flag overrides the variable.
    let environment = [("DELIVERY_LEDGER_VERIFY_EVERY", "1s")];
    let app = App::start_with_env(&environment, &["--verify-every", "off"]);
    app.receive(sent(&sid(1)));
    // Once a second server has verified its log, this one would have, too.
    let other = App::start_with(&["--verify-every", "1s"]);
    other.receive(sent(&sid(1)));
    other.eventually("the other log is verified", || verified(&other)["position"] == 1);
    assert_eq!(verified(&app), Value::Null);
}

// WAL checkpoints left to another program.

fn bytes_in_wal(app: &App) -> u64 {
    app.folder().join("ledger.db-wal").metadata().map_or(0, |metadata| metadata.len())
}

/// Imitates Litestream: creates its two tables and keeps a read transaction open.
fn replicate(log: &Path) -> Connection {
    let litestream = Connection::open(log).unwrap();
    litestream.busy_timeout(Duration::from_secs(5)).unwrap();
    litestream
        .execute_batch(
            "PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE IF NOT EXISTS _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
             CREATE TABLE IF NOT EXISTS _litestream_lock (id INTEGER);
             INSERT INTO _litestream_seq VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET seq = seq + 1;
             BEGIN;
             SELECT count(*) FROM _litestream_seq;",
        )
        .unwrap();
    litestream
}

#[test]
fn with_external_checkpoints_the_server_never_checkpoints_the_wal() {
    let mut app = App::start_with_env(&[("DELIVERY_LEDGER_WAL_CHECKPOINTS", "external")], &[]);
    let empty = std::fs::metadata(app.log_file()).unwrap().len();
    // More than the 1,000 pages after which SQLite would checkpoint automatically.
    let body = |number| sent(&sid(number)).with("Filler", &"x".repeat(40_000));
    let mut length = bytes_in_wal(&app);
    for number in 0..150 {
        assert_eq!(app.receive(body(number)).code, 200);
        assert!(bytes_in_wal(&app) > length, "the WAL was reset at event {}", number + 1);
        length = bytes_in_wal(&app);
    }
    // Once a second server has emptied its WAL in a pause, this one would have, too.
    let other = App::start();
    assert_eq!(other.receive(sent(&sid(1))).code, 200);
    other.eventually("the other WAL is empty", || bytes_in_wal(&other) == 0);
    assert_eq!(bytes_in_wal(&app), length);

    app.stop();
    assert_eq!(bytes_in_wal(&app), length, "the server must not checkpoint when it stops");
    app.restart();
    assert_eq!(bytes_in_wal(&app), length, "the server must not checkpoint when it starts");
    app.kill();
    app.restart();
    assert_eq!(app.message(&sid(149))["events"], 1);
    assert_eq!(app.run(&["replay"]).status.code(), Some(0));
    assert_eq!(app.run(&["export", "messages"]).status.code(), Some(0));
    assert_eq!(bytes_in_wal(&app), length);
    assert_eq!(std::fs::metadata(app.log_file()).unwrap().len(), empty);
}

#[test]
fn with_external_checkpoints_a_server_starts_at_once_next_to_litestream() {
    let mut app = App::start_with_env(&[("DELIVERY_LEDGER_WAL_CHECKPOINTS", "external")], &[]);
    app.receive(sent(&sid(1)));
    let litestream = replicate(&app.log_file());
    app.receive(delivered(&sid(1)));
    app.kill();

    let began = Instant::now();
    app.restart();

    assert!(began.elapsed() < Duration::from_secs(4), "it waited for a reader that never ends");
    app.receive(delivered(&sid(2)));
    app.caught_up();
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], serde_json::json!([]));
    assert!(app.run(&["backup", "a.db"]).status.success());
    drop(litestream);
}

#[test]
fn without_external_checkpoints_litestream_stops_a_server_from_starting_with_the_reason() {
    let mut app = App::start();
    app.receive(sent(&sid(1)));
    let litestream = replicate(&app.log_file());
    app.receive(delivered(&sid(1)));
    app.kill();

    let output = app.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("another process keeps reading or checkpointing it"), "{stderr}");
    assert!(stderr.contains("DELIVERY_LEDGER_WAL_CHECKPOINTS"), "{stderr}");
    drop(litestream);
    app.restart();
}
