//! A whole ledger on PostgreSQL: the same content as on SQLite, there and back, and what guards it.

use std::ops::ControlFlow;

use delivery_ledger::backup::copy::copy;
use delivery_ledger::backup::{Origin, backup, restore};
use delivery_ledger::domain::{NewEvent, Rule};
use delivery_ledger::projection::catch_up;
use delivery_ledger::projection::compatibility::reset_if_incompatible;
use delivery_ledger::projection::verify::verify;
use delivery_ledger::store::{self, Access, Damage, Database, Store, StoreError};
use tempfile::TempDir;

use crate::support::events::{event, one_a_second};
use crate::support::ledger::Ledger;
use crate::support::postgres::{PostgresDatabase, Servers};

pub fn located(database: &PostgresDatabase) -> Database {
    Database::parse(database.url()).unwrap()
}

/// Callbacks about as many messages, one a second.
pub fn callbacks(count: u32) -> Vec<NewEvent> {
    let body = |n| {
        format!(
            "MessageSid=SM{n:032x}&MessageStatus=delivered&To=%2B1555{n:07}&AccountSid=AC{:032x}",
            n % 3
        )
    };
    one_a_second((0..count).map(|n| event(body(n))))
}

pub fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A ledger with projected events in the database.
pub fn filled(database: &PostgresDatabase, events: u32) -> Box<dyn Store> {
    let store = store::open(&located(database), Access::Create).unwrap();
    store.append(&callbacks(events)).unwrap();
    project(&*store);
    store
}

pub fn project(store: &dyn Store) {
    reset_if_incompatible(store, Rule::default()).unwrap();
    let head = store.head().unwrap();
    catch_up(store, store.views(), head, &mut |_| ControlFlow::Continue(())).unwrap();
}

/// Root and digest.
fn proof(store: &dyn Store) -> (String, String) {
    project(store);
    let verified = verify(store, None, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(verified.findings, []);
    (format!("{:?}", verified.hash), format!("{:?}", verified.digest))
}

#[test]
fn a_ledger_copied_to_the_other_engine_and_back_has_the_same_id_root_and_digest() {
    let ledger = Ledger::with_events(&callbacks(3000));
    let (there, back) = (PostgresDatabase::fresh(), Ledger::new());

    let copied = copy(&ledger.database(), &located(&there), &mut go_on).unwrap();
    copy(&located(&there), &back.database(), &mut go_on).unwrap();

    assert_eq!(copied.head, 3000);
    let on_postgres = store::open(&located(&there), Access::Write).unwrap();
    assert_eq!(on_postgres.ledger_id(), ledger.open().ledger_id());
    assert_eq!(proof(&*on_postgres), proof(&*ledger.open()));
    assert_eq!(proof(&*back.open()), proof(&*ledger.open()));
    assert_eq!(on_postgres.read(0, 5000).unwrap(), back.open().read(0, 5000).unwrap());
}

#[test]
fn an_interrupted_copy_continues_where_it_stopped() {
    let ledger = Ledger::with_events(&callbacks(5000));
    let there = PostgresDatabase::fresh();

    let interrupted =
        copy(&ledger.database(), &located(&there), &mut |_| ControlFlow::Break(())).err();
    assert!(interrupted.is_some());
    let kept = store::open(&located(&there), Access::Read).unwrap().head().unwrap();
    assert!((1..5000).contains(&kept), "{kept}");
    assert_eq!(copy(&ledger.database(), &located(&there), &mut go_on).unwrap().head, 5000);
}

#[test]
fn a_copy_is_never_added_to_another_ledger() {
    let ledger = Ledger::with_events(&callbacks(10));
    let other = PostgresDatabase::fresh();
    drop(filled(&other, 20));

    let refused = copy(&ledger.database(), &located(&other), &mut go_on).unwrap_err();

    assert!(refused.to_string().contains("is another ledger"), "{refused}");
    assert_eq!(store::open(&located(&other), Access::Read).unwrap().head().unwrap(), 20);
}

#[test]
fn a_backup_is_restored_on_either_engine() {
    let (database, restored) = (PostgresDatabase::fresh(), PostgresDatabase::fresh());
    let store = filled(&database, 500);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("backup.db");

    let made = backup(&located(&database), &file, &mut go_on).unwrap();

    assert_eq!(made.head, 500);
    let ledger = Ledger::new();
    restore(&file, &located(&restored), Origin::Same, &mut go_on).unwrap();
    restore(&file, &ledger.database(), Origin::Same, &mut go_on).unwrap();
    let on_postgres = store::open(&located(&restored), Access::Write).unwrap();
    assert_eq!(proof(&*on_postgres), proof(&*store));
    assert_eq!(proof(&*ledger.open()), proof(&*store));
    let again = restore(&file, &located(&database), Origin::Same, &mut go_on).unwrap_err();
    assert!(again.to_string().contains("already exists"), "{again}");
}

#[test]
fn nothing_in_the_log_can_be_changed_removed_or_left_out() {
    let database = PostgresDatabase::fresh();
    drop(filled(&database, 5));
    let connection = database.connect();
    for attack in [
        "UPDATE events SET body = 'x'",
        "DELETE FROM events",
        "DELETE FROM events_0 WHERE position = 5",
        "TRUNCATE events",
        "TRUNCATE events_0",
        "SET session_replication_role = replica; DELETE FROM events; RESET session_replication_role",
        "SET session_replication_role = replica; TRUNCATE events_0",
        "UPDATE envelopes SET envelope = 'x'",
        "DELETE FROM envelopes",
        "UPDATE log_head SET position = 3",
        "DELETE FROM log_head",
        "INSERT INTO events SELECT position + 7, received_at, event_id, envelope, salt, variables, body \
         FROM events WHERE position = 5",
    ] {
        assert!(connection.execute(attack).is_err(), "{attack}");
        connection.execute("RESET session_replication_role").unwrap();
    }
    let store = store::open(&located(&database), Access::Read).unwrap();
    assert_eq!(store.head().unwrap(), 5);
    assert_eq!(store.check_guards().unwrap(), []);
}

#[test]
fn a_guard_that_was_removed_or_weakened_is_found() {
    for (attack, guard) in [
        ("DROP TRIGGER events_never_change ON events", "trigger events_never_change on events"),
        (
            "ALTER TABLE events_0 ENABLE TRIGGER events_are_never_emptied",
            "trigger events_are_never_emptied on events_0",
        ),
        (
            "CREATE OR REPLACE FUNCTION log_is_only_appended_to() RETURNS trigger LANGUAGE plpgsql \
             AS 'BEGIN RETURN OLD; END'",
            "trigger events_are_never_removed on events",
        ),
    ] {
        let database = PostgresDatabase::fresh();
        let store = filled(&database, 1);
        database.connect().execute(attack).unwrap();
        let found = store.check_guards().unwrap();
        let missing = Damage::GuardMissing { name: guard.to_owned() };
        assert!(found.contains(&missing), "{attack}: {found:?}");
    }
}

#[test]
fn a_database_with_other_tables_is_refused() {
    let database = PostgresDatabase::fresh();
    database.connect().execute("CREATE TABLE customers (name text)").unwrap();
    let refused = store::open(&located(&database), Access::Create).err().unwrap();
    assert!(refused.to_string().contains("it has tables of something else"), "{refused}");
}

#[test]
fn only_one_process_at_a_time_writes() {
    let database = PostgresDatabase::fresh();
    let store = filled(&database, 1);
    let refused = store::open(&located(&database), Access::Write).err().unwrap();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    drop(store);
    store::open(&located(&database), Access::Write).unwrap();
}

#[test]
fn a_server_whose_certificate_is_not_trusted_is_refused() {
    let database = PostgresDatabase::fresh();
    drop(filled(&database, 1));
    let folder = Servers::shared().folder;
    let open = |sslmode: &str, authority: &str| {
        let authority = folder.join(authority).display().to_string();
        let tls = format!("sslmode={sslmode}&sslrootcert={authority}");
        let url = database.url().replace("sslmode=disable", &tls);
        store::open(&Database::parse(&url).unwrap(), Access::Read)
            .map(|store| store.head().unwrap())
    };
    assert_eq!(open("verify-full", "ca.crt").unwrap(), 1);
    assert_eq!(open("verify-ca", "ca.crt").unwrap(), 1);
    assert_eq!(open("require", "other-ca.crt").unwrap(), 1);
    for sslmode in ["verify-full", "verify-ca"] {
        let refused = open(sslmode, "other-ca.crt").unwrap_err().to_string();
        assert!(refused.contains("certificate"), "{refused}");
    }
}

/// As the threads of targets call it. A task of tokio may make only so many steps before it has to yield.
#[test]
fn the_store_can_be_called_by_an_asynchronous_task() {
    let database = PostgresDatabase::fresh();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = filled(&database, 3);
        for _ in 0..500 {
            assert_eq!(store.head().unwrap(), 3);
        }
    });
}
