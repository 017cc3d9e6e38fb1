//! The path of a callback: received over HTTP, stored, projected, and queried.

use crate::support::{App, delivered, sent, sid};

#[test]
fn a_late_sent_does_not_undo_delivered() {
    let app = App::start();

    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    let message = app.message(&sid(1));
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["late"], 1);
    assert_eq!(message["timeline"][1]["effect"], "late");
}

#[test]
fn acknowledged_callbacks_survive_a_kill() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);

    app.kill();
    app.restart();

    assert_eq!(app.message(&sid(1))["status"], "delivered");
    let verified = app.json(&["verify", "--format", "json"]);
    assert_eq!(verified["head"], 1);
    assert_eq!(verified["findings"], serde_json::json!([]));
}

#[test]
fn the_wal_is_emptied_in_a_pause() {
    let app = App::start();
    let wal = app.folder().join("ledger.db-wal");
    let length = || std::fs::metadata(&wal).unwrap().len();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    assert_ne!(length(), 0, "a commit goes there first");

    app.eventually("the log is tidied up", || length() == 0);

    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    assert_eq!(app.message(&sid(1))["events"], 2);
}
