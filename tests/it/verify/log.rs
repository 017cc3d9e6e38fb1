//! `verify` on a changed log: columns, bytes, positions, triggers, foreign tables.

use std::ops::ControlFlow;

use delivery_ledger::domain::NewEvent;
use delivery_ledger::projection::verify::tree::root_read_again;
use delivery_ledger::projection::verify::verify;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::{TRIGGERS, found, ledger};
use crate::support::events::{event, headers, one_a_second};
use crate::support::ledger::{Ledger, findings};
use crate::support::{sent, sid};

/// The columns of one event, and of the envelope it shares, with a way to change one of them.
const CHANGES: [(&str, &str); 11] = [
    ("event_id", "UPDATE events SET event_id = zeroblob(16) WHERE position = 3"),
    ("received_at", "UPDATE events SET received_at = received_at + 1 WHERE position = 3"),
    ("envelope", "UPDATE events SET envelope = 3 - envelope WHERE position = 3"),
    ("variables", "UPDATE events SET variables = variables || x'00' WHERE position = 3"),
    ("body", "UPDATE events SET body = x'' WHERE position = 3"),
    ("the type of body", "UPDATE events SET body = CAST(body AS TEXT) WHERE position = 3"),
    ("source", "UPDATE envelopes SET source = 'import'"),
    ("method", "UPDATE envelopes SET method = 'PUT'"),
    ("url", "UPDATE envelopes SET url = url || '/'"),
    ("verified_by", "UPDATE envelopes SET verified_by = NULL"),
    ("headers", "UPDATE envelopes SET headers = replace(headers, 'us1', 'us2')"),
];

#[test]
fn a_change_in_any_column_is_found() {
    for (column, change) in CHANGES {
        let ledger = ledger();
        ledger.damage_log(|log| {
            assert!(log.execute(change, []).unwrap() > 0, "{column}: nothing was changed");
        });
        let found = found(&ledger);
        let expected = ["changed-events", "unreadable-event"];
        assert!(found.iter().any(|name| expected.contains(&&**name)), "{column}: {found:?}");
    }
}

#[test]
fn a_status_forged_by_a_simple_update_is_found() {
    let ledger = ledger();
    ledger.damage_log(|log| {
        let forge = "UPDATE events SET body = replace(body, 'failed', 'queued') WHERE position = 4";
        log.execute(forge, []).unwrap();
    });
    let (code, verified) = ledger.verify(&[]);

    assert_eq!(code, Some(3));
    assert_eq!(findings(&verified), ["unreadable-event"], "SQLite made a text of it");
    assert_eq!(verified["findings"][0]["position"], 4);
}

#[test]
fn a_change_of_any_byte_is_found() {
    let short = NewEvent {
        url: "http://h/?q=1".to_owned(),
        headers: headers(&[("content-type", "x"), ("x-twilio-signature", "AAAA=")]),
        notes: [("a".to_owned(), "b".to_owned())].into(),
        ..event("MessageSid=SM1&MessageStatus=sent")
    };
    let ledger = Ledger::with_events(&[short, event(sent(&sid(1)))]);
    let byte_columns = [
        ("events", "event_id", "position = 1"),
        ("events", "variables", "position = 1"),
        ("events", "body", "position = 1"),
        ("envelopes", "source", "id = 1"),
        ("envelopes", "method", "id = 1"),
        ("envelopes", "url", "id = 1"),
        ("envelopes", "verified_by", "id = 1"),
        ("envelopes", "headers", "id = 1"),
    ];
    for (table, column, row) in byte_columns {
        let kind = if table == "events" { "BLOB" } else { "TEXT" };
        let read = format!("SELECT CAST({column} AS BLOB) FROM {table} WHERE {row}");
        let write = format!("UPDATE {table} SET {column} = CAST(?1 AS {kind}) WHERE {row}");
        let log = Connection::open(ledger.log_file()).unwrap();
        let bytes: Vec<u8> = log.query_row(&read, [], |row| row.get(0)).unwrap();
        let put = |value: &[u8]| {
            ledger.damage_log(|log| assert_eq!(log.execute(&write, params![value]), Ok(1)));
        };
        for (index, byte) in bytes.iter().enumerate() {
            let mut changed = bytes.clone();
            changed[index] = byte ^ 0x01;
            put(&changed);
            let verified =
                verify(&*ledger.open_for_reading(), None, &mut |_| ControlFlow::Continue(()))
                    .unwrap();
            assert!(!verified.findings.is_empty(), "{table}.{column}, byte {index}");
        }
        put(&bytes);
    }
    let verified =
        verify(&*ledger.open_for_reading(), None, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(verified.findings, [], "everything was put back");
}

#[test]
fn a_missing_position_is_found() {
    let ledger = ledger();
    ledger.damage_log(|log| {
        log.execute("DELETE FROM events WHERE position IN (2, 3)", []).unwrap();
    });
    let (code, verified) = ledger.verify(&[]);

    assert_eq!(code, Some(3));
    assert_eq!(
        verified["findings"][0],
        json!({
            "finding": "missing-position",
            "position": 2,
            "detail": "there are no events at positions 2 to 3",
        })
    );
    assert_eq!(verified["hash"], Value::Null, "a log with a gap has no root");
}

#[test]
fn a_moved_event_is_found_as_a_gap() {
    let ledger = ledger();
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET position = 70 WHERE position = 3", []).unwrap();
    });
    assert_eq!(found(&ledger)[0], "missing-position");
}

#[test]
fn a_deleted_last_event_is_found_as_an_older_log() {
    let ledger = ledger();
    ledger.damage_log(|log| {
        log.execute("DELETE FROM events WHERE position = 6", []).unwrap();
    });
    assert_eq!(found(&ledger), ["log-older-than-views"]);
}

#[test]
fn an_event_inserted_before_the_first_is_found() {
    let ledger = ledger();
    ledger.damage_log(|log| {
        let copy = "INSERT INTO events
                    SELECT 0, event_id, received_at, salt, envelope, variables, body
                    FROM events WHERE position = 1";
        log.execute(copy, []).unwrap();
    });
    assert_eq!(found(&ledger), ["foreign-object"]);
}

#[test]
fn a_change_is_located_to_its_block() {
    let events = (0..9000).map(|number| event(format!("n={number}")));
    let ledger = Ledger::with_events(&one_a_second(events));
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET body = x'' WHERE position = 5000", []).unwrap();
    });
    let (_, verified) = ledger.verify(&[]);

    assert_eq!(
        verified["findings"],
        json!([{
            "finding": "changed-events",
            "position": 4865,
            "detail": "positions 4865 to 5120 are not what was read there before",
        }])
    );
}

/// As after a reopened log: what the views have read earlier is in their tree.
#[test]
fn a_change_is_found_by_reading_again_the_events_after_a_position_and_not_those_before_it() {
    let events = (0..1300).map(|number| event(format!("n={number}")));
    let ledger = Ledger::with_events(&one_a_second(events));
    let read = ledger.open().views().checkpoint().unwrap().tree.root();
    let positions_that_differ = || -> Vec<u64> {
        let store = ledger.open();
        let differs = |after: &u64| root_read_again(&*store, 1300, *after).unwrap() != read;
        [0, 256, 511, 512, 767, 768, 1024, 1300].into_iter().filter(differs).collect()
    };
    assert_eq!(positions_that_differ(), [0; 0]);

    ledger.damage_log(|log| {
        log.execute("UPDATE events SET body = x'' WHERE position = 700", []).unwrap();
    });

    // It is in the block of positions 513 to 768, which is read again as a whole.
    assert_eq!(positions_that_differ(), [0, 256, 511, 512, 767]);
}

/// More events than one batch has, which are read on several cores.
fn ledger_of_batches() -> Ledger {
    let events = (0..20_000).map(|number| event(format!("n={number}")));
    Ledger::with_events(&one_a_second(events))
}

#[test]
fn a_log_of_several_batches_has_the_same_hash_whether_it_is_folded_or_only_read() {
    let ledger = ledger_of_batches();
    let (_, folded) = ledger.verify(&[]);
    assert_eq!((&folded["checkpoint"], &folded["findings"]), (&json!(20_000), &json!([])));

    std::fs::remove_file(ledger.views_file()).unwrap();
    let (_, read) = ledger.verify(&[]);

    assert_eq!((&read["checkpoint"], &read["findings"]), (&json!(0), &json!([])));
    assert_eq!((&read["hash"], &read["events"]), (&folded["hash"], &json!(20_000)));
    let expected = format!("17000:{}", "0".repeat(64));
    for inside_a_batch in [true, false] {
        if inside_a_batch {
            ledger.project();
        }
        let (_, verified) = ledger.verify(&["--expect", &expected]);
        assert_eq!(findings(&verified), ["unexpected-hash"]);
    }
}

#[test]
fn damage_is_found_in_every_batch() {
    let ledger = ledger_of_batches();
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET body = x'' WHERE position = 17000", []).unwrap();
        log.execute("UPDATE events SET body = 'a text' WHERE position = 17500", []).unwrap();
        log.execute("DELETE FROM events WHERE position = 18000", []).unwrap();
    });
    for with_views in [true, false] {
        if !with_views {
            std::fs::remove_file(ledger.views_file()).unwrap();
        }
        let (_, verified) = ledger.verify(&[]);

        let found = verified["findings"].as_array().unwrap();
        let mut found: Vec<_> =
            found.iter().map(|it| (it["position"].as_u64(), it["finding"].as_str())).collect();
        found.sort_unstable();
        let changed = (Some(16_897), Some("changed-events"));
        let expected = [
            changed,
            (Some(17_500), Some("unreadable-event")),
            (Some(18_000), Some("missing-position")),
        ];
        assert_eq!(found, expected[usize::from(!with_views)..]);
        assert_eq!((&verified["events"], &verified["hash"]), (&json!(19_998), &Value::Null));
    }
}

#[test]
fn two_swapped_events_are_found() {
    let ledger = ledger();
    ledger.damage_log(|log| {
        log.execute_batch(
            "UPDATE events SET position = 100 WHERE position = 1;
             UPDATE events SET position = 1 WHERE position = 2;
             UPDATE events SET position = 2 WHERE position = 100;",
        )
        .unwrap();
    });
    assert!(found(&ledger).contains(&"changed-events".to_owned()));
}

#[test]
fn a_dropped_trigger_is_found() {
    for trigger in TRIGGERS {
        let ledger = ledger();
        ledger.log_sql(&format!("DROP TRIGGER {trigger}")).unwrap();

        let (code, verified) = ledger.verify(&[]);

        assert_eq!(code, Some(3));
        assert_eq!(findings(&verified), ["guard-missing"]);
        let detail = verified["findings"][0]["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("trigger {trigger} is missing")), "{detail}");
    }
}

#[test]
fn a_changed_trigger_is_found() {
    for trigger in TRIGGERS {
        let ledger = ledger();
        let table = match trigger.split('_').next().unwrap() {
            "seal" | "seals" => "seal_records",
            table => table,
        };
        ledger
            .log_sql(&format!(
                "DROP TRIGGER {trigger};
                 CREATE TRIGGER {trigger} BEFORE UPDATE ON {table} BEGIN SELECT 1; END;"
            ))
            .unwrap();
        assert_eq!(found(&ledger), ["guard-missing", "foreign-object"], "{trigger}");
    }
}

#[test]
fn unknown_tables_and_triggers_are_foreign() {
    for (named, foreign) in [
        ("trigger spy", "CREATE TRIGGER spy AFTER INSERT ON events BEGIN SELECT 1; END"),
        ("index spy", "CREATE INDEX spy ON events(received_at)"),
        ("table spy", "CREATE TABLE spy(position INTEGER)"),
        ("view spy", "CREATE VIEW spy AS SELECT * FROM events"),
    ] {
        let ledger = ledger();
        ledger.log_sql(foreign).unwrap();
        let (_, verified) = ledger.verify(&[]);
        assert_eq!(findings(&verified), ["foreign-object"], "{foreign}");
        assert!(verified["findings"][0]["detail"].as_str().unwrap().starts_with(named));
    }
}

#[test]
fn a_table_with_another_column_is_found() {
    let ledger = ledger();
    ledger.log_sql("ALTER TABLE events ADD COLUMN remark TEXT").unwrap();
    assert_eq!(found(&ledger), ["guard-missing", "foreign-object"]);
}
