//! Erased events are read, shown, exported, copied and verified. No command erases yet, so the tests do
//! what docs/LOG_FORMAT.md says an erasure does.

use delivery_ledger::domain::digest::Digester;
use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::hash::hex;
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source};
use delivery_ledger::twilio::event_sids::EventSids;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::support::events::{event, one_a_second};
use crate::support::ledger::{Ledger, findings};
use crate::support::postgres::PostgresDatabase;
use crate::support::{App, assert_problem, delivered, sent, sid};

/// The position of the erasure in the tests' ledgers.
const ERASURE: u64 = 5;

/// A ledger with two messages, and an erasure that names the events of the first.
fn ledger_with_an_erasure(named: &str) -> Ledger {
    let body = format!(r#"{{"erased":{named},"messages":1,"request":"DSR-1"}}"#);
    let erasure = NewEvent {
        source: Source::Erasure,
        method: String::new(),
        url: String::new(),
        headers: Headers::default(),
        verified_by: None,
        ..event(body)
    };
    let events = [event(sent(&sid(1))), event(sent(&sid(2))), event(delivered(&sid(1)))];
    let events = events.into_iter().chain([event(delivered(&sid(2))), erasure]);
    Ledger::with_events(&one_a_second(events))
}

/// Erases the events at these positions, as an erasure does.
fn erase(log: &Connection, events: &[RecordedEvent], positions: &[u64]) -> rusqlite::Result<()> {
    log.execute(
        "INSERT INTO envelopes
         SELECT max(id) + 1, 'callback', '', '', 'primary', '[]' FROM envelopes",
        [],
    )?;
    for position in positions {
        let event = &events[*position as usize - 1];
        let (sids, mut digester) = (EventSids::parse(event), Digester::default());
        let (message, content) = (digester.message(sids.as_sids()), digester.content(event));
        log.execute(
            "INSERT INTO erased VALUES (?1, ?2, ?3, ?4)",
            params![position, message, content, ERASURE],
        )?;
        log.execute(
            "UPDATE events
             SET salt = NULL, variables = x'', body = x'', envelope = (SELECT max(id) FROM envelopes)
             WHERE position = ?1",
            [position],
        )?;
    }
    Ok(())
}

/// The ledger with message 1 erased, its views rebuilt, and the events as they were before.
fn erased_ledger() -> (Ledger, Vec<RecordedEvent>) {
    let ledger = ledger_with_an_erasure("[[1,1],[3,3]]");
    let events = ledger.open_for_reading().read(0, 10).unwrap();
    erase(&Connection::open(ledger.log_file()).unwrap(), &events, &[1, 3]).unwrap();
    assert_eq!(ledger.run(&["replay"]).status.code(), Some(0));
    (ledger, events)
}

fn export(ledger: &Ledger, arguments: &[&str]) -> Vec<Value> {
    let output = ledger.run(&[&["export", "events"], arguments].concat());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_erased_ledger_has_the_same_root_and_verifies() {
    let before = ledger_with_an_erasure("[[1,1],[3,3]]");
    let events = before.open_for_reading().read(0, 10).unwrap();
    let (_, verified) = before.verify(&[]);
    erase(&Connection::open(before.log_file()).unwrap(), &events, &[1, 3]).unwrap();
    assert_eq!(before.run(&["replay"]).status.code(), Some(0));

    let (code, after) = before.verify(&[]);
    assert_eq!((code, &after["findings"]), (Some(0), &json!([])));
    assert_eq!(after["hash"], verified["hash"]);
    assert_eq!(before.run(&["audit", &sid(1)]).status.code(), Some(4));
    assert_eq!(before.run(&["audit", &sid(2)]).status.code(), Some(0));
}

#[test]
fn an_erased_event_is_exported_without_its_content() {
    let (ledger, events) = erased_ledger();
    let event = &events[0];
    let (sids, mut digester) = (EventSids::parse(event), Digester::default());

    let exported = export(&ledger, &[]);
    assert_eq!(
        exported[0],
        json!({
            "position": 1,
            "event_id": event.event_id.to_string(),
            "received_at": event.received_at.to_string(),
            "source": "callback",
            "verified_by": "primary",
            "message": hex(&digester.message(sids.as_sids())),
            "content": hex(&digester.content(event)),
            "erased_by": ERASURE,
        })
    );
    assert_eq!(exported[1]["salt"], hex(events[1].salt.as_bytes()));
    let masked = export(&ledger, &["--mask"]);
    assert_eq!((masked[0].get("message"), &masked[0]["masked"]), (None, &json!(true)));
    assert_eq!(masked[1].get("salt"), None);
}

#[test]
fn the_body_of_an_erased_event_is_gone() {
    let (ledger, _) = erased_ledger();
    let mut app = App::not_started(&[]);
    std::fs::copy(ledger.log_file(), app.log_file()).unwrap();
    app.restart();

    let response = app.get("/v1/events/1/body");
    assert_problem(&response, 410, "its content was erased, as the event at position 5 records");
    assert_eq!(app.get("/v1/events/1").json()["erased_by"], ERASURE);
    assert_eq!(app.get("/v1/events/2/body").code, 200);
}

#[test]
fn a_backup_has_the_erased_events_too() {
    let (ledger, _) = erased_ledger();
    let output = ledger.run(&["backup", "copy.db"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let of_copy = ["--database", "sqlite:copy.db", "export", "events"];
    assert_eq!(ledger.run(&of_copy).stdout, ledger.run(&["export", "events"]).stdout);
}

#[test]
fn a_copy_in_the_other_engine_has_the_erased_events_too() {
    let (ledger, _) = erased_ledger();
    let database = PostgresDatabase::fresh();
    for (from, to) in [("sqlite:ledger.db", database.url()), (database.url(), "sqlite:back.db")] {
        let output = ledger.run(&["copy", "--from", from, "--to", to]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for copy in [database.url(), "sqlite:back.db"] {
        let of_copy = ["--database", copy, "export", "events"];
        assert_eq!(ledger.run(&of_copy).stdout, ledger.run(&["export", "events"]).stdout);
    }
}

#[test]
fn erased_events_and_erasures_are_not_imported() {
    let (ledger, _) = erased_ledger();
    std::fs::write(ledger.file("events.ndjson"), ledger.run(&["export", "events"]).stdout).unwrap();
    let output = ledger.run(&["--database", "sqlite:other.db", "import", "events.ndjson"]);
    let shown = [output.stdout, output.stderr].concat();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("its content was erased, so there is nothing to import"), "{shown}");
    assert!(shown.contains("it records an erasure"), "{shown}");
}

#[test]
fn an_erased_event_that_its_erasure_does_not_name_is_found() {
    for (named, expected) in [
        ("[[1,1]]", &["erased-without-event"][..]),
        ("[]", &["erased-without-event", "erased-without-event"]),
        ("[[1,3]]", &[]),
    ] {
        let ledger = ledger_with_an_erasure(named);
        let events = ledger.open_for_reading().read(0, 10).unwrap();
        erase(&Connection::open(ledger.log_file()).unwrap(), &events, &[1, 3]).unwrap();
        ledger.run(&["replay"]);
        assert_eq!(findings(&ledger.verify(&[]).1), expected, "{named}");
    }
}

#[test]
fn a_change_of_what_remains_is_found() {
    for (change, expected) in [
        ("UPDATE erased SET message = zeroblob(32) WHERE position = 1", "changed-events"),
        ("UPDATE erased SET content = zeroblob(32) WHERE position = 3", "changed-events"),
        ("UPDATE erased SET erased_by = 4 WHERE position = 3", "erased-without-event"),
        ("DELETE FROM erased WHERE position = 3", "unreadable-event"),
        ("UPDATE events SET body = x'00' WHERE position = 1", "unreadable-event"),
        ("UPDATE events SET salt = zeroblob(16) WHERE position = 1", "unreadable-event"),
        ("INSERT INTO erased VALUES (2, zeroblob(32), zeroblob(32), 5)", "foreign-object"),
    ] {
        let (ledger, _) = erased_ledger();
        ledger.damage_log(|log| log.execute_batch(change).unwrap());
        let (_, verified) = ledger.verify(&[]);
        assert!(findings(&verified).contains(&expected), "{change}: {verified}");
    }
}

#[test]
fn the_triggers_allow_an_erasure_and_nothing_else() {
    let (ledger, events) = erased_ledger();
    let log = Connection::open(ledger.log_file()).unwrap();
    for change in [
        "UPDATE erased SET erased_by = 4",
        "DELETE FROM erased",
        "INSERT OR REPLACE INTO erased VALUES (1, zeroblob(32), zeroblob(32), 5)",
        "INSERT INTO erased VALUES (5, zeroblob(32), zeroblob(32), 6)",
        "INSERT INTO erased VALUES (2, zeroblob(32), zeroblob(32), 4)", // by a callback
        "INSERT INTO erased VALUES (2, zeroblob(31), zeroblob(32), 5)",
        "INSERT INTO erased VALUES (2, zeroblob(32), zeroblob(32), NULL)",
        "INSERT INTO erased VALUES (6, zeroblob(32), zeroblob(32), 5)",
        "UPDATE events SET salt = zeroblob(16) WHERE position = 1", // erased already
        "UPDATE events SET salt = NULL, body = x'' WHERE position = 2", // not listed
        "UPDATE events SET received_at = 0 WHERE position = 1",
        "DELETE FROM events WHERE position = 1",
    ] {
        assert!(log.execute_batch(change).is_err(), "{change}");
    }
    log.execute_batch("INSERT INTO erased VALUES (2, zeroblob(32), zeroblob(32), 5)").unwrap();
    for change in [
        "UPDATE events SET salt = NULL WHERE position = 2", // with its body
        "UPDATE events SET body = x'' WHERE position = 2",  // with its salt
        "UPDATE events SET salt = NULL, body = x'', received_at = 0 WHERE position = 2",
        "UPDATE events SET salt = NULL, body = x'', event_id = zeroblob(16) WHERE position = 2",
        "UPDATE events SET salt = NULL, body = x'', position = 9 WHERE position = 2",
    ] {
        assert!(log.execute_batch(change).is_err(), "{change}");
    }
    assert_eq!(ledger.open_for_reading().read(0, 10).unwrap()[1], events[1]);
}
