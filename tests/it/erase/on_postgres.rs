//! Erasing in PostgreSQL, with the owner's role.

use serde_json::{Value, json};

use super::{ADDRESS, stderr, story};
use crate::support::ledger::Ledger;
use crate::support::postgres::PostgresDatabase;
use crate::support::sid;

#[test]
fn an_erasure_on_postgres_leaves_no_row_with_the_address() {
    let (ledger, database) = (Ledger::with_events(&story(200)), PostgresDatabase::fresh());
    let url = database.url();
    let run = |arguments: &[&str]| ledger.run(&[&["--database", url], arguments].concat());
    let copied = ledger.run(&["copy", "--from", "sqlite:ledger.db", "--to", url]);
    assert_eq!(copied.status.code(), Some(0), "{}", stderr(&copied));
    assert_eq!(run(&["replay"]).status.code(), Some(0));

    let output =
        run(&["erase", "--address", ADDRESS, "--request", "DSR-1", "--yes", "--format", "json"]);

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let erased: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&erased["messages"], &erased["events"]), (&json!(20), &json!(40)));
    assert!(erased["server_keeps"].as_str().unwrap().contains("WAL"));
    let verified = run(&["verify", "--format", "json"]);
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["findings"], json!([]));
    assert_eq!(run(&["audit", &sid(10)]).status.code(), Some(4));
    assert_eq!(run(&["audit", &sid(11)]).status.code(), Some(0));
    let events = String::from_utf8(run(&["export", "events"]).stdout).unwrap();
    assert!(!events.contains("15558675399"));
}
