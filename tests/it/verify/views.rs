//! `verify` on views that differ from their log, damaged pages, and replaced logs.

use delivery_ledger::domain::Timestamp;
use serde_json::json;

use super::{found, ledger};
use crate::support::events::{error_logged, event, one_a_second, with_query};
use crate::support::ledger::{Ledger, findings};
use crate::support::{delivered, sent, sid};

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
        "INSERT INTO messages
         SELECT 4, account, x'00534D67686F7374', status, recipient, sender, flags, lifecycle
         FROM messages
         WHERE id = 1",
        "UPDATE messages SET sid = x'00534D67686F7374' WHERE id = 2",
        "UPDATE messages SET recipient = NULL WHERE id = 2",
        "UPDATE messages SET recipient = x'ff' WHERE id = 2",
        "UPDATE messages SET sender = recipient WHERE id = 1",
        "UPDATE messages SET flags = flags | 4 WHERE id = 3",
        "UPDATE messages SET flags = 256 WHERE id = 3",
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
fn wrong_counts_of_twilios_error_log_are_found() {
    let url = "https://hooks.example.com/message-status";
    let error = error_logged("NO1", 11200, url, Timestamp::from_micros(1));
    for change in [
        "UPDATE logged_errors SET count = 2",
        "UPDATE logged_errors SET last_at = 2",
        "UPDATE logged_errors SET code = -1",
        "UPDATE logged_errors SET url = x'ff'",
        "DELETE FROM logged_errors",
        "INSERT INTO logged_errors VALUES (0, '', 1, 1, 1)",
    ] {
        let ledger = Ledger::with_events(&[error.clone(), event(sent(&sid(1)))]);
        assert_eq!(ledger.verify(&[]).0, Some(0));
        ledger.views_sql(change);
        assert_eq!(found(&ledger), ["projection-differs"], "{change}");
    }
}

#[test]
fn an_invalid_checkpoint_is_found() {
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
fn a_changed_hash_in_the_views_is_found() {
    let ledger = ledger();
    ledger.views_sql("UPDATE checkpoint SET right_edge = zeroblob(length(right_edge))");
    assert_eq!(found(&ledger), ["changed-events"]);
}

#[test]
fn a_differing_message_is_named_with_its_sid_escaped() {
    let ledger = Ledger::with_events(&[event(sent("odd\u{1b}[2J"))]);
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
        let ledger = Ledger::with_events(&events);
        let path = file(&ledger);
        let mut bytes = std::fs::read(&path).unwrap();
        let last_page = bytes.len() - 4096;
        bytes[last_page..last_page + 512].fill(0xff);
        std::fs::write(&path, bytes).unwrap();

        assert!(found(&ledger).contains(&"engine-damage".to_owned()), "{}", path.display());
    }
}

/// An index that has other entries than its statement says: it was made by another one.
fn forge_index(ledger: &Ledger, name: &str, made_as: &str) {
    ledger.views_sql(&format!(
        "CREATE TEMP TABLE said AS SELECT sql FROM sqlite_master WHERE name = '{name}';
         DROP INDEX {name};
         CREATE INDEX {name} ON {made_as};
         PRAGMA writable_schema = ON;
         UPDATE sqlite_master SET sql = (SELECT sql FROM said) WHERE name = '{name}';"
    ));
}

#[test]
fn an_index_with_other_entries_than_its_table_is_found() {
    let events =
        (0..6).map(|number| with_query(event(sent(&sid(number))), &format!("order={number}")));
    for (name, made_as) in [
        ("messages_by_sid", "messages(sid, account) WHERE id <> 2"),
        ("messages_by_sid", "messages(sid DESC, account)"),
        ("messages_by_recipient", "messages(recipient) WHERE id <> 2"),
        ("messages_by_sender", "messages(sender) WHERE id <> 2"),
        ("messages_open", "messages(id) WHERE id <> 2"),
        ("tags_by_hash", "tags(hash, message) WHERE message <> 2"),
        ("tags_by_hash", "tags(message, hash)"),
    ] {
        let ledger = Ledger::with_events(&one_a_second(events.clone()));
        forge_index(&ledger, name, made_as);
        let (_, verified) = ledger.verify(&[]);
        assert!(findings(&verified).contains(&"engine-damage"), "{name} as {made_as}");
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

#[test]
fn views_that_are_not_a_database_are_found_and_replay_rebuilds_them() {
    let garbage = |ledger: &Ledger| std::fs::write(ledger.views_file(), [7; 7000]).unwrap();
    let index_gone = |ledger: &Ledger| ledger.views_sql("DROP INDEX messages_by_sid");
    // A page that nothing leads to: one more in the file, and in the number of pages at byte 28
    // (<https://www.sqlite.org/fileformat2.html>).
    let page_lost = |ledger: &Ledger| {
        let mut bytes = std::fs::read(ledger.views_file()).unwrap();
        bytes.extend([0; 4096]);
        let pages = (bytes.len() / 4096) as u32;
        bytes[28..32].copy_from_slice(&pages.to_be_bytes());
        std::fs::write(ledger.views_file(), bytes).unwrap();
    };
    for damage in [&garbage as &dyn Fn(&Ledger), &index_gone, &page_lost] {
        let ledger = ledger();
        damage(&ledger);
        assert!(found(&ledger).contains(&"engine-damage".to_owned()));

        let replayed = ledger.run(&["replay"]);

        assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
        let (code, verified) = ledger.verify(&[]);
        assert_eq!((code, &verified["checkpoint"]), (Some(0), &json!(6)), "{verified:#}");
    }
}
