//! Sets of views in PostgreSQL: which one is in use, what others see meanwhile, and what is left over.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use delivery_ledger::domain::message::filter::MessageFilter;
use delivery_ledger::domain::{NewEvent, Rule};
use delivery_ledger::projection::{catch_up, replay};
use delivery_ledger::store::{self, Access, Batch, Damage, Database, Store, StoreError};
use uuid::Uuid;

use crate::support::events::{event, one_a_second};
use crate::support::postgres::{Connection, PostgresDatabase};
use crate::support::{ACCOUNT, sid};

const PATIENCE: Duration = Duration::from_secs(20);

fn open(database: &PostgresDatabase, access: Access) -> Box<dyn Store> {
    store::open(&Database::parse(database.url()).unwrap(), access).unwrap()
}

/// Callbacks about as many messages.
fn callbacks(count: u32) -> Vec<NewEvent> {
    let body = |n| {
        format!("MessageSid={}&MessageStatus=sent&To=%2B1555{n:07}&AccountSid={ACCOUNT}", sid(n))
    };
    one_a_second((0..count).map(|n| event(body(n))))
}

fn project(store: &dyn Store) {
    let head = store.head().unwrap();
    catch_up(store, store.views(), head, &mut |_| ControlFlow::Continue(())).unwrap();
}

fn rebuild(store: &dyn Store) {
    replay::replay(store, Rule::default(), &mut |_| ControlFlow::Continue(())).unwrap();
}

/// A ledger with ten projected events in the database.
fn filled(database: &PostgresDatabase) -> Box<dyn Store> {
    let store = open(database, Access::Create);
    store.append(&callbacks(10)).unwrap();
    project(&*store);
    store
}

/// The name of the set in use.
fn in_use(connection: &Connection) -> String {
    connection.value("SELECT views FROM projections WHERE in_use").unwrap()
}

/// The number of schemas of views.
fn schemas(connection: &Connection) -> String {
    connection.value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'views%'").unwrap()
}

/// A step that changes nothing but the event at the checkpoint.
fn step(store: &dyn Store) -> Batch {
    let now = store.views().checkpoint().unwrap();
    let mut to = now.clone();
    to.event_id = Some(Uuid::from_u128(7));
    Batch {
        from: now.position,
        to,
        messages: Vec::new(),
        tree_nodes: Vec::new(),
        logged_errors: Vec::new(),
        silent_events: Vec::new(),
        erased_events: 0,
    }
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The row that the batch has waited for is no longer in use, and the other one was not when it began.
#[test]
fn a_batch_that_had_to_wait_for_a_swap_writes_nothing() {
    let database = PostgresDatabase::fresh();
    let store = filled(&database);
    let step = step(&*store);
    let generation = store.begin_generation(Rule::default()).unwrap();
    let (swap, watch) = (database.connect(), database.connect());
    swap.execute(
        "BEGIN;
         CREATE TEMPORARY TABLE new AS SELECT views FROM projections WHERE NOT in_use;
         UPDATE projections SET in_use = false WHERE in_use;
         UPDATE projections SET in_use = true WHERE views IN (SELECT views FROM new)",
    )
    .unwrap();

    let outcome = std::thread::scope(|scope| {
        let writer = scope.spawn(|| store.views().project(&step));
        let waiting = "SELECT 1 FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        until("the batch waits for the swap", || watch.value(waiting).is_some());
        swap.execute("COMMIT").unwrap();
        writer.join().unwrap()
    });

    assert!(matches!(outcome, Err(StoreError::CheckpointMoved)), "{outcome:?}");
    drop(generation);
}

#[test]
fn replaced_views_that_are_still_read_are_removed_later() {
    let database = PostgresDatabase::fresh();
    let (store, reader) = (filled(&database), database.connect());
    let replaced = in_use(&reader);
    reader.execute(&format!("BEGIN; SELECT * FROM {replaced}.messages")).unwrap();

    rebuild(&*store);
    rebuild(&*store);

    let count = reader.value(&format!("SELECT count(*) FROM {replaced}.messages"));
    assert_eq!(count.as_deref(), Some("10"), "a reader keeps what it reads");
    reader.execute("COMMIT").unwrap();
    assert_eq!(schemas(&reader), "2");
    rebuild(&*store);
    assert_eq!(schemas(&reader), "1");
}

#[test]
fn what_a_killed_replay_has_left_is_removed_by_the_next_start() {
    let database = PostgresDatabase::fresh();
    let store = filled(&database);
    // As if the process had ended.
    std::mem::forget(store.begin_generation(Rule::default()).unwrap());
    drop(store);
    let connection = database.connect();
    assert_eq!(schemas(&connection), "2");
    connection
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .unwrap();

    let store = open(&database, Access::Write);

    assert_eq!(schemas(&connection), "1");
    assert_eq!(store.views().count().unwrap(), 10);
}

#[test]
fn a_start_leaves_the_views_of_a_running_replay_alone() {
    let database = PostgresDatabase::fresh();
    drop(filled(&database));
    let replaying = open(&database, Access::Replay);
    let generation = replaying.begin_generation(Rule::default()).unwrap();

    drop(open(&database, Access::WriteDiscardingViews));

    let go_on = &mut |_| ControlFlow::Continue(());
    catch_up(&*replaying, generation.views(), 10, go_on).unwrap();
    assert!(generation.swap_in().unwrap());
    assert_eq!(replaying.views().count().unwrap(), 10);
}

#[test]
fn views_of_another_version_are_replaced_by_a_writer_and_not_read_by_others() {
    let database = PostgresDatabase::fresh();
    let (store, connection) = (filled(&database), database.connect());
    connection.execute("UPDATE projections SET format = 'another'").unwrap();

    let read = store.views().count();
    assert!(matches!(read, Err(StoreError::DamagedViews { .. })), "{read:?}");
    let written = store.views().project(&Batch { from: 10, ..step_of_nothing(&*store) });
    assert!(matches!(written, Err(StoreError::DamagedViews { .. })), "{written:?}");
    drop(store);

    assert_eq!(open(&database, Access::Read).views().count().unwrap(), 0);
    let store = open(&database, Access::Write);
    assert_eq!(store.views().checkpoint().unwrap().position, 0);
    project(&*store);
    assert_eq!(store.views().count().unwrap(), 10);
    assert_eq!(schemas(&connection), "1");
}

/// A step for views that cannot be read.
fn step_of_nothing(store: &dyn Store) -> Batch {
    let temporary = store.temporary_views(Rule::default()).unwrap();
    Batch {
        from: 0,
        to: temporary.checkpoint().unwrap(),
        messages: Vec::new(),
        tree_nodes: Vec::new(),
        logged_errors: Vec::new(),
        silent_events: Vec::new(),
        erased_events: 0,
    }
}

#[test]
fn views_of_another_ledger_in_the_same_database_stay() {
    let database = PostgresDatabase::fresh();
    let connection = database.connect();
    connection.execute("CREATE SCHEMA other").unwrap();
    let url = format!("{}&options=-csearch_path%3Dother", database.url());
    let other = store::open(&Database::parse(&url).unwrap(), Access::Create).unwrap();
    other.append(&callbacks(3)).unwrap();
    project(&*other);
    drop(other);

    rebuild(&*filled(&database));

    let other = store::open(&Database::parse(&url).unwrap(), Access::Write).unwrap();
    assert_eq!(other.views().count().unwrap(), 3);
    assert_eq!(schemas(&connection), "2");
}

/// The flags of more messages than are read at a time.
#[test]
fn a_list_passes_any_number_of_inbound_messages() {
    let database = PostgresDatabase::fresh();
    let store = filled(&database);
    let inbound = |n| event(format!("MessageSid={}&MessageStatus=received", sid(n)));
    store.append(&one_a_second((100..5000).map(inbound))).unwrap();
    store.append(&callbacks(12)[10..]).unwrap();
    project(&*store);

    let outbound = MessageFilter { inbound: Some(false), ..MessageFilter::default() };
    let listed = store.views().list(&outbound, None, 100).unwrap();

    let ids: Vec<_> = listed.messages.iter().map(|message| message.id).collect();
    assert_eq!(ids, [4912, 4911, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_check_finds_wrong_flags_and_missing_indexes() {
    let database = PostgresDatabase::fresh();
    let (store, connection) = (filled(&database), database.connect());
    let views = in_use(&connection);
    assert_eq!(store.views().check().unwrap().damages, []);
    let engine = |detail: &str| [Damage::Engine { detail: detail.to_owned() }];
    let wrong = engine("the flags of messages 1 to 10 differ from their index");

    for (spoil, repair) in [
        ("DELETE FROM flagged WHERE id = 3", "INSERT INTO flagged VALUES (8, 3)"),
        ("INSERT INTO flagged VALUES (1, 3)", "DELETE FROM flagged WHERE flag = 1"),
        ("INSERT INTO flagged VALUES (8, 11)", "DELETE FROM flagged WHERE id = 11"),
        ("UPDATE flagged SET flag = 16 WHERE id = 3", "UPDATE flagged SET flag = 8 WHERE id = 3"),
    ] {
        connection.execute(&format!("SET search_path = {views}; {spoil}")).unwrap();
        assert_eq!(store.views().check().unwrap().damages, wrong, "{spoil}");
        connection.execute(repair).unwrap();
        assert_eq!(store.views().check().unwrap().damages, [], "{repair}");
    }
    connection.execute("DROP INDEX messages_by_sender").unwrap();
    assert_eq!(store.views().check().unwrap().damages, engine("messages_by_sender is missing"));
}
