//! What `verify` finds. Each damage is done behind the triggers' back; they are in place again,
//! word for word, when it is looked for.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use delivery_ledger::domain::NewEvent;
use delivery_ledger::projection::verify::{FindingKind, verify};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::support::events::{event, headers, one_a_second, with_query, with_token};
use crate::support::ledger::{Ledger, findings, triggers};
use crate::support::{App, delivered, failed, sent, sid, status};

const TRIGGERS: [&str; 6] = [
    "envelopes_are_never_removed",
    "envelopes_are_new",
    "envelopes_never_change",
    "events_are_never_removed",
    "events_are_numbered_without_gaps",
    "events_never_change",
];

/// Six events of three messages, projected.
fn ledger() -> Ledger {
    Ledger::of(&six_events())
}

fn six_events() -> Vec<NewEvent> {
    let noted = NewEvent {
        notes: [("file".to_owned(), "history.csv".to_owned())].into(),
        ..with_token(with_query(event(delivered(&sid(1))), "a=1"), "token")
    };
    one_a_second([
        event(sent(&sid(1))),
        event(sent(&sid(2))),
        noted,
        event(failed(&sid(3), "30003")),
        event(delivered(&sid(2))),
        event(status(&sid(3), "delivered")),
    ])
}

/// Verifies after a damage, which must be found, and names what was found.
fn found(ledger: &Ledger) -> Vec<String> {
    let (code, verified) = ledger.verify(&[]);
    assert_eq!(code, Some(3), "{verified:#}");
    findings(&verified).into_iter().map(str::to_owned).collect()
}

#[test]
fn nothing_is_wrong_with_an_untouched_ledger() {
    let (code, verified) = ledger().verify(&[]);

    assert_eq!(code, Some(0));
    let keys: Vec<_> = verified.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "head",
        "hash",
        "checkpoint",
        "events",
        "imported",
        "rule",
        "digest",
        "findings",
        "unfinished",
    ];
    assert_eq!(keys, expected);
    assert_eq!(verified["head"], 6);
    assert_eq!(verified["events"], 6);
    assert_eq!(verified["imported"], 0);
    assert_eq!(verified["checkpoint"], 6);
    assert_eq!(verified["rule"], "failure-terminal");
    assert_eq!(verified["findings"], json!([]));
    assert_eq!(verified["unfinished"], json!([]));
}

#[test]
fn the_triggers_that_the_damages_go_round_are_put_back_word_for_word() {
    let ledger = ledger();
    ledger.damage_log(|_| {});
    assert_eq!(ledger.verify(&[]).0, Some(0));

    let log = Connection::open(ledger.log_file()).unwrap();
    let names: Vec<_> = triggers(&log).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, TRIGGERS);
}

#[test]
fn an_empty_ledger_is_as_it_should_be() {
    let (code, verified) = Ledger::of(&[]).verify(&[]);
    assert_eq!((code, &verified["head"]), (Some(0), &json!(0)));
}

#[test]
fn views_that_are_behind_are_no_finding() {
    let ledger = ledger();
    ledger.append(&[event(delivered(&sid(4)))]);

    let (code, verified) = ledger.verify(&[]);

    assert_eq!(code, Some(0));
    assert_eq!((&verified["head"], &verified["checkpoint"]), (&json!(7), &json!(6)));
}

#[test]
fn views_that_are_not_there_are_no_finding() {
    let ledger = ledger();
    std::fs::remove_file(ledger.views_file()).unwrap();
    assert_eq!(ledger.verify(&[]).0, Some(0));
}

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
fn the_natural_way_to_forge_a_status_is_found() {
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
    let ledger = Ledger::of(&[short, event(sent(&sid(1)))]);
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
        for (index, byte) in bytes.iter().enumerate() {
            let mut changed = bytes.clone();
            changed[index] = byte ^ 0x01;
            let put = |value: &[u8]| {
                ledger.damage_log(|log| assert_eq!(log.execute(&write, params![value]), Ok(1)));
            };
            put(&changed);
            let verified =
                verify(&*ledger.open_for_reading(), None, &mut |_| ControlFlow::Continue(()))
                    .unwrap();
            assert!(!verified.findings.is_empty(), "{table}.{column}, byte {index}");
            put(&bytes);
        }
    }
    let verified =
        verify(&*ledger.open_for_reading(), None, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(verified.findings, [], "everything was put back");
}

#[test]
fn a_missing_position_is_named() {
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
    assert_eq!(verified["hash"], Value::Null, "the chain cannot be followed over a gap");
}

#[test]
fn an_event_that_was_moved_leaves_a_gap() {
    let ledger = ledger();
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET position = 70 WHERE position = 3", []).unwrap();
    });
    assert_eq!(found(&ledger)[0], "missing-position");
}

#[test]
fn the_last_event_missing_makes_the_log_older_than_its_views() {
    let ledger = ledger();
    ledger.damage_log(|log| {
        log.execute("DELETE FROM events WHERE position = 6", []).unwrap();
    });
    assert_eq!(found(&ledger), ["log-older-than-views"]);
}

#[test]
fn an_event_put_before_the_first_is_found() {
    let ledger = ledger();
    ledger.damage_log(|log| {
        let copy = "INSERT INTO events
                    SELECT 0, event_id, received_at, envelope, variables, body
                    FROM events WHERE position = 1";
        log.execute(copy, []).unwrap();
    });
    assert_eq!(found(&ledger), ["foreign-object"]);
}

#[test]
fn a_change_is_placed_in_its_block() {
    let events = (0..9000).map(|number| event(format!("n={number}")));
    let ledger = Ledger::of(&one_a_second(events));
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET body = x'' WHERE position = 5000", []).unwrap();
    });
    let (_, verified) = ledger.verify(&[]);

    assert_eq!(
        verified["findings"],
        json!([{
            "finding": "changed-events",
            "position": 4097,
            "detail": "positions 4097 to 8192 are not what was read there before",
        }])
    );
}

#[test]
fn two_events_that_changed_places_are_found() {
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
fn a_dropped_trigger_is_named() {
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
        let table = trigger.split('_').next().unwrap();
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
fn what_we_did_not_make_is_foreign() {
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

#[test]
fn a_projection_that_differs_from_its_log_is_found() {
    for change in [
        "UPDATE messages SET status = 'read' WHERE id = 1",
        "UPDATE messages SET status = 'no status' WHERE id = 1",
        "UPDATE messages SET lifecycle = x'' WHERE id = 2",
        "UPDATE messages SET lifecycle = '{}' WHERE id = 2",
        "UPDATE messages SET lifecycle = zeroblob(64) WHERE id = 2",
        "UPDATE messages SET lifecycle = substr(lifecycle, 1, length(lifecycle) - 1) WHERE id = 3",
        "UPDATE messages SET lifecycle = CAST(lifecycle || x'00' AS BLOB) WHERE id = 3",
        "UPDATE messages SET lifecycle = (SELECT lifecycle FROM messages WHERE id = 1) WHERE id = 2",
        "UPDATE messages SET account = 0 WHERE id = 3",
        "DELETE FROM messages WHERE id = 1",
        "DELETE FROM messages WHERE id = 3",
        "DELETE FROM messages",
        "INSERT INTO messages SELECT 4, account, sid, status, lifecycle FROM messages WHERE id = 1",
        "DELETE FROM sids WHERE id = 2",
        "UPDATE sids SET id = 1 WHERE id = 2",
        "INSERT INTO sids VALUES (x'00534D67686F7374', 1, 1)",
        "INSERT INTO accounts VALUES (99, 'AC99')",
        "DELETE FROM accounts",
        "UPDATE accounts SET account_sid = 'AC1'",
    ] {
        let ledger = ledger();
        ledger.views_sql(change);
        let found = found(&ledger);
        assert!(found.iter().all(|name| name == "projection-differs"), "{change}: {found:?}");
    }
}

#[test]
fn a_checkpoint_that_is_none_is_a_projection_that_differs() {
    for change in [
        "UPDATE checkpoint SET rule = 'no rule'",
        "UPDATE checkpoint SET ledger_id = x'00'",
        "UPDATE checkpoint SET position = -1",
        "DELETE FROM checkpoint",
    ] {
        let ledger = ledger();
        ledger.views_sql(change);
        assert_eq!(found(&ledger), ["projection-differs"], "{change}");
    }
}

#[test]
fn a_chain_that_was_changed_in_the_views_is_found() {
    let ledger = ledger();
    ledger.views_sql("UPDATE checkpoint SET chain = zeroblob(32)");
    assert_eq!(found(&ledger), ["changed-events"]);
}

#[test]
fn which_message_differs_is_said_without_obeying_its_sid() {
    let ledger = Ledger::of(&[event(sent("odd\u{1b}[2J"))]);
    ledger.views_sql("UPDATE messages SET status = 'queued'");
    let (_, verified) = ledger.verify(&[]);
    assert_eq!(
        verified["findings"][0]["detail"],
        r"message odd\u{1b}[2J is not what the log says of it"
    );
}

#[test]
fn damaged_pages_are_found_in_either_file() {
    let events = (0..200).map(|number| event(sent(&sid(number))));
    let events = one_a_second(events);
    for file in [Ledger::log_file, Ledger::views_file] {
        let ledger = Ledger::of(&events);
        let path = file(&ledger);
        let mut bytes = std::fs::read(&path).unwrap();
        let last_page = bytes.len() - 4096;
        bytes[last_page..last_page + 512].fill(0xff);
        std::fs::write(&path, bytes).unwrap();

        assert!(found(&ledger).contains(&"engine-damage".to_owned()), "{}", path.display());
    }
}

#[test]
fn an_older_log_is_noticed() {
    let ledger = ledger();
    let older = std::fs::read(ledger.log_file()).unwrap();
    ledger.append(&[event(delivered(&sid(4)))]);
    ledger.project();

    std::fs::write(ledger.log_file(), older).unwrap();

    assert_eq!(found(&ledger), ["log-older-than-views"]);
}

#[test]
fn an_older_log_that_has_grown_since_is_noticed() {
    let ledger = ledger();
    let older = std::fs::read(ledger.log_file()).unwrap();
    ledger.append(&[event(delivered(&sid(4)))]);
    ledger.project();

    std::fs::write(ledger.log_file(), older).unwrap();
    ledger.append(&[event(delivered(&sid(5))), event(delivered(&sid(6)))]);

    assert_eq!(found(&ledger), ["log-exchanged"]);
}

#[test]
fn the_log_of_another_ledger_is_noticed() {
    let (ledger, other) = (ledger(), self::ledger());
    std::fs::copy(other.log_file(), ledger.log_file()).unwrap();
    assert_eq!(found(&ledger), ["views-of-another-ledger"]);
}

/// `POSITION:HASH`, as verify gives it to be kept elsewhere.
fn copy_of(verified: &Value) -> String {
    format!("{}:{}", verified["head"], verified["hash"].as_str().unwrap())
}

#[test]
fn the_hash_kept_elsewhere_still_holds_when_the_log_has_grown() {
    let ledger = ledger();
    let copy = copy_of(&ledger.verify(&[]).1);
    assert_eq!(ledger.verify(&["--expect", &copy]).0, Some(0));
    assert_eq!(ledger.verify(&["--expect", &copy.to_uppercase()]).0, Some(0));

    ledger.append(&[event(delivered(&sid(4)))]);

    assert_eq!(ledger.verify(&["--expect", &copy]).0, Some(0));
}

#[test]
fn another_hash_or_a_position_beyond_the_head_is_unexpected() {
    let ledger = ledger();
    let hash = ledger.verify(&[]).1["hash"].as_str().unwrap().to_owned();
    for (unexpected, detail) in [
        (format!("5:{hash}"), "the chain has another value there"),
        (format!("6:{}", "0".repeat(64)), "the chain has another value there"),
        (format!("7:{hash}"), "the log ends before it"),
    ] {
        let (code, verified) = ledger.verify(&["--expect", &unexpected]);
        assert_eq!(code, Some(3), "{unexpected}");
        assert_eq!(findings(&verified), ["unexpected-hash"], "{unexpected}");
        let found = verified["findings"][0]["detail"].as_str().unwrap();
        assert!(found.ends_with(detail), "{found}");
    }
}

#[test]
fn behind_a_gap_no_expectation_can_be_met() {
    let ledger = ledger();
    let copy = copy_of(&ledger.verify(&[]).1);
    ledger.damage_log(|log| {
        log.execute("DELETE FROM events WHERE position = 2", []).unwrap();
    });
    let (_, verified) = ledger.verify(&["--expect", &copy]);
    assert_eq!(findings(&verified), ["missing-position", "unexpected-hash"]);
}

#[test]
fn a_copy_kept_elsewhere_finds_what_the_views_have_not_read() {
    let ledger = ledger();
    ledger.append(&[event(delivered(&sid(4)))]);
    let copy = copy_of(&ledger.verify(&[]).1);
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET body = x'' WHERE position = 7", []).unwrap();
    });
    assert_eq!(ledger.verify(&[]).0, Some(0), "nobody has read position 7 before");
    let (code, verified) = ledger.verify(&["--expect", &copy]);
    assert_eq!((code, findings(&verified)), (Some(3), vec!["unexpected-hash"]));
}

#[test]
fn a_copy_kept_elsewhere_finds_a_whole_ledger_made_anew() {
    let ledger = ledger();
    let copy = copy_of(&ledger.verify(&[]).1);
    let mut forged = six_events();
    forged[5] = event(status(&sid(3), "queued"));

    let forged = Ledger::of(&forged);

    assert_eq!(forged.verify(&[]).0, Some(0), "it is consistent in itself");
    assert_eq!(forged.verify(&["--expect", &copy]).0, Some(3));
}

#[test]
fn an_expectation_that_is_none_is_a_usage_error() {
    let ledger = ledger();
    let hash = "0".repeat(64);
    for malformed in
        ["", "6", ":", "6:", "6:abc", &format!("0:{hash}"), &format!("-1:{hash}"), &hash]
    {
        let output = ledger.run(&["verify", "--expect", malformed]);
        assert_eq!(output.status.code(), Some(2), "{malformed}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn verify_repairs_nothing() {
    let ledger = ledger();
    ledger.views_sql("UPDATE messages SET status = 'read' WHERE id = 1");
    ledger.log_sql("DROP TRIGGER events_never_change").unwrap();
    let first = found(&ledger);
    assert_eq!(found(&ledger), first);
}

#[test]
fn verify_works_beside_a_server_and_while_callbacks_keep_coming() {
    let app = App::start();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..).take_while(|_| !done.load(Ordering::Relaxed)) {
                app.receive(sent(&sid(number)));
                app.receive(delivered(&sid(number / 2)));
            }
        });
        let verify = || app.run(&["verify", "--format", "json"]);
        let mut seen = 0;
        app.eventually("four verifications saw the log grow", || {
            let output = verify();
            let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
            if !output.status.success() || seen >= 4 {
                done.store(true, Ordering::Relaxed);
            }
            assert_eq!(output.status.code(), Some(0), "{verified:#}");
            seen += u32::from(verified["events"].as_u64().unwrap() > 0);
            seen >= 5
        });
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn every_kind_of_finding_has_a_name_of_its_own() {
    use FindingKind::*;
    let kinds = [
        MissingPosition,
        UnreadableEvent,
        ChangedEvents,
        GuardMissing,
        ForeignObject,
        EngineDamage,
        ViewsOfAnotherLedger,
        LogOlderThanViews,
        LogExchanged,
        ProjectionDiffers,
        UnexpectedHash,
    ];
    let names: std::collections::BTreeSet<_> = kinds.map(FindingKind::name).into();
    assert_eq!(names.len(), kinds.len());
}

#[test]
fn views_that_are_no_views_are_found_and_replay_makes_them_anew() {
    let garbage = |ledger: &Ledger| std::fs::write(ledger.views_file(), [7; 7000]).unwrap();
    let table_gone = |ledger: &Ledger| ledger.views_sql("DROP TABLE sids");
    // A page that nothing leads to: one more in the file, and in the number of pages at byte 28
    // (<https://www.sqlite.org/fileformat2.html>).
    let page_lost = |ledger: &Ledger| {
        let mut bytes = std::fs::read(ledger.views_file()).unwrap();
        bytes.extend([0; 4096]);
        let pages = (bytes.len() / 4096) as u32;
        bytes[28..32].copy_from_slice(&pages.to_be_bytes());
        std::fs::write(ledger.views_file(), bytes).unwrap();
    };
    for damage in [&garbage as &dyn Fn(&Ledger), &table_gone, &page_lost] {
        let ledger = ledger();
        damage(&ledger);
        assert!(found(&ledger).contains(&"engine-damage".to_owned()));

        let replayed = ledger.run(&["replay"]);

        assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
        let (code, verified) = ledger.verify(&[]);
        assert_eq!((code, &verified["checkpoint"]), (Some(0), &json!(6)), "{verified:#}");
    }
}
