//! The store of forwarding as a SQLite file next to the log.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use delivery_ledger::domain::NewEvent;
use delivery_ledger::store::forward::{ForwardStore, ReadTo, Step};
use delivery_ledger::store::{self, StoreError};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use uuid::Uuid;

use super::{LEDGER, failed, read_to, waiting};
use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{delivered, sent, sid};

fn create(ledger: &Ledger) -> Box<dyn ForwardStore> {
    store::create_forward_store(&ledger.database()).unwrap()
}

/// Every file of the ledger's folder that belongs to the store.
fn files(ledger: &Ledger) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(ledger.log_file().parent().unwrap()).unwrap();
    let files = entries.map(|entry| entry.unwrap()).map(|entry| {
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    });
    files
        .filter(|(name, _)| name.starts_with("ledger.forward.db") && !name.ends_with("-shm"))
        .collect()
}

fn three_events() -> Vec<NewEvent> {
    [sent(&sid(1)), delivered(&sid(1)), sent(&sid(2))].map(event).into()
}

#[test]
fn it_is_created_for_its_owner_alone_and_only_when_asked_for() {
    let ledger = Ledger::new();
    assert!(store::open_forward_store(&ledger.database()).unwrap().is_none());
    assert!(store::read_forward_store(&ledger.database()).unwrap().is_none());
    assert_eq!(files(&ledger), BTreeMap::new());

    let open = create(&ledger);
    for name in ["ledger.forward.db", "ledger.forward.db-wal"] {
        let mode = ledger.file(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(open);
    assert!(store::open_forward_store(&ledger.database()).unwrap().is_some());
}

#[test]
fn it_can_be_read_while_a_server_writes_and_not_be_written_by_a_reader() {
    let ledger = Ledger::new();
    let mut server = create(&ledger);
    server.create("orders", LEDGER, read_to(0)).unwrap();
    let mut reader = store::read_forward_store(&ledger.database()).unwrap().unwrap();
    let step = Step { read_to: Some(read_to(4)), ..Step::default() };
    assert!(server.record("orders", 1, &step, 0).unwrap());
    assert_eq!(reader.target("orders").unwrap().unwrap().read_to, read_to(4));
    let refused = reader.record("orders", 1, &step, 0).unwrap_err().to_string();
    assert!(refused.contains("readonly"), "{refused}");
}

#[test]
fn one_of_a_newer_version_is_refused_and_left_as_it_is() {
    for journal_mode in ["DELETE", "WAL"] {
        let ledger = Ledger::new();
        drop(create(&ledger));
        let newer = Connection::open(ledger.file("ledger.forward.db")).unwrap();
        newer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        newer.pragma_update(None, "journal_mode", journal_mode).unwrap();
        let history = "INSERT INTO refinery_schema_history";
        newer
            .execute_batch(&format!("{history} VALUES (99, 'tomorrow', '2030-01-01', '1')"))
            .unwrap();
        drop(newer);
        let before = files(&ledger);
        assert_eq!(before.contains_key("ledger.forward.db-wal"), journal_mode == "WAL");

        let database = ledger.database();
        let refusals = [
            store::create_forward_store(&database).err(),
            store::open_forward_store(&database).err(),
            store::read_forward_store(&database).err(),
        ];
        for refusal in refusals {
            let refusal = refusal.expect("it is refused").to_string();
            assert!(refusal.contains("was written by a newer version (schema 99"), "{refusal}");
        }
        assert_eq!(files(&ledger), before, "{journal_mode}");
    }
}

#[test]
fn a_second_name_of_the_file_is_refused() {
    let ledger = Ledger::new();
    drop(create(&ledger));
    std::fs::hard_link(ledger.file("ledger.forward.db"), ledger.file("other.db")).unwrap();
    let refusal = store::open_forward_store(&ledger.database()).err().unwrap();
    assert!(matches!(refusal, StoreError::OtherName { .. }), "{refusal}");
}

#[test]
fn nothing_is_written_to_a_file_that_was_deleted_meanwhile() {
    let ledger = Ledger::new();
    let mut open = create(&ledger);
    open.create("orders", LEDGER, read_to(0)).unwrap();
    std::fs::remove_file(ledger.file("ledger.forward.db")).unwrap();
    let refusal = open.record("orders", 1, &Step::default(), 0).unwrap_err();
    assert!(matches!(refusal, StoreError::NotInPlace { .. }), "{refusal}");
}

// Restoring a backup next to it.

/// Removes the log with its WAL, which is left if a reader was the last to close it.
fn remove_log(ledger: &Ledger) {
    std::fs::remove_file(ledger.log_file()).unwrap();
    for name in ["ledger.db-wal", "ledger.db-shm"] {
        match std::fs::remove_file(ledger.file(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.unwrap(),
        }
    }
}

#[test]
fn a_target_that_had_read_further_than_the_restored_log_goes_on_at_its_end() {
    let ledger = Ledger::with_events(&three_events());
    assert!(ledger.run(&["backup", "a.db"]).status.success());
    ledger.append(&[event(sent(&sid(3))), event(sent(&sid(4)))]);
    let events = ledger.open_for_reading().read(0, 10).unwrap();
    let ledger_id = ledger.open_for_reading().ledger_id();
    let read =
        |position: u64| ReadTo { position, event_id: Some(events[position as usize - 1].event_id) };
    let mut forward = create(&ledger);
    for (name, position) in [("behind", 2), ("ahead", 5)] {
        forward.create(name, ledger_id, read(position)).unwrap();
        let unaccepted = vec![failed(1), waiting(2), waiting(4), failed(5)];
        let unaccepted = unaccepted.into_iter().filter(|event| event.position <= position);
        let step = Step { unaccepted: unaccepted.collect(), ..Step::default() };
        assert!(forward.record(name, 1, &step, 0).unwrap());
    }
    drop(forward);
    remove_log(&ledger);

    let restored = ledger.run(&["restore", "a.db"]);

    let stderr = String::from_utf8(restored.stderr).unwrap();
    assert!(restored.status.success(), "{stderr}");
    assert!(
        stderr.contains(
            "the target ahead had been sent events up to position 5, and the log ends at 3: it \
             continues after that; unaccepted events forgotten: 2"
        ),
        "{stderr}"
    );
    assert!(!stderr.contains("behind"), "{stderr}");
    let forward = create(&ledger);
    let state = |name| forward.target(name).unwrap().unwrap().read_to;
    assert_eq!((state("behind"), state("ahead")), (read(2), read(3)));
    assert_eq!(forward.unaccepted("ahead", 0, 9).unwrap(), [failed(1), waiting(2)]);
}

#[test]
fn a_target_that_had_read_another_log_begins_anew_after_a_restore() {
    let ledger = Ledger::with_events(&three_events());
    assert!(ledger.run(&["backup", "a.db"]).status.success());
    let ledger_id = ledger.open_for_reading().ledger_id();
    let mut forward = create(&ledger);
    forward.create("other-ledger", Uuid::from_u128(1), read_to(2)).unwrap();
    forward.create("other-event", ledger_id, read_to(2)).unwrap();
    forward.create("unread", ledger_id, read_to(0)).unwrap();
    drop(forward);
    remove_log(&ledger);

    let restored = ledger.run(&["restore", "a.db"]);

    let stderr = String::from_utf8(restored.stderr).unwrap();
    assert!(
        stderr.contains("the target other-event had been sent events of another log"),
        "{stderr}"
    );
    let left = create(&ledger).targets().unwrap();
    assert_eq!(left.iter().map(|target| &*target.name).collect::<Vec<_>>(), ["unread"]);
}

#[test]
fn a_log_is_restored_next_to_a_store_of_forwarding_that_cannot_be_read() {
    let ledger = Ledger::with_events(&three_events());
    assert!(ledger.run(&["backup", "a.db"]).status.success());
    std::fs::write(ledger.file("ledger.forward.db"), "something else").unwrap();
    remove_log(&ledger);

    let restored = ledger.run(&["restore", "a.db"]);

    let stderr = String::from_utf8(restored.stderr).unwrap();
    assert!(restored.status.success(), "{stderr}");
    assert!(stderr.contains("ledger.forward.db is not a delivery-ledger database"), "{stderr}");
    assert_eq!(ledger.verify(&[]).0, Some(0));
}

#[test]
fn two_processes_write_in_turn_and_lose_nothing() {
    let ledger = Ledger::new();
    create(&ledger).create("orders", LEDGER, read_to(0)).unwrap();
    let database = ledger.database();
    let writers: Vec<_> = (0..3_u64)
        .map(|writer| {
            let mut store = store::open_forward_store(&database).unwrap().unwrap();
            std::thread::spawn(move || {
                for number in 0..200 {
                    let unaccepted = vec![waiting(writer * 200 + number)];
                    let step = Step { unaccepted, accepted: 1, ..Step::default() };
                    assert!(store.record("orders", 1, &step, 0).unwrap());
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let store = create(&ledger);
    assert_eq!(store.target("orders").unwrap().unwrap().accepted, 600);
    assert_eq!(store.counts("orders").unwrap().waiting, 600);
}
