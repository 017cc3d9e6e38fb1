//! What happens to a server, and what may be acknowledged and shown meanwhile. Each test breaks servers of its own.

use std::time::{Duration, Instant};

use delivery_ledger::domain::Position;
use delivery_ledger::store::{self, Access, Database, Store, StoreError};

use super::ledger::{filled, located};
use crate::support::events::event;
use crate::support::postgres::{Connection, Pair, PostgresDatabase};

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the store can be used again, and returns its head.
fn reopened(store: &dyn Store) -> Position {
    let begun = Instant::now();
    loop {
        match store.reopen() {
            Ok(head) => return head,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
    }
}

/// Cancels the statement that waits for the standby, as an administrator may do.
fn cancel_wait(database: &PostgresDatabase, is_finished: impl Fn() -> bool) {
    let other = database.connect();
    other.execute("SET synchronous_commit = local").unwrap();
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    while other.value(cancel).is_none() {
        assert!(!is_finished(), "it has not waited");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Twilio gets no 200 for what only the primary has.
#[test]
fn an_append_without_the_standby_fails_and_succeeds_once_it_is_back() {
    let pair = Pair::of_its_own();
    let database = pair.database();
    let store = filled(&database, 1);
    pair.stop_standby();

    let waiting = store.append(&[event("n=2".to_owned())]);

    assert!(waiting.is_err(), "{waiting:?}");
    assert!(store.append(&[event("n=3".to_owned())]).is_err(), "it has to be reopened first");
    pair.continue_standby();
    // The server has carried out what this program had given up.
    assert_eq!(reopened(&*store), 2);
    assert_eq!(store.append(&[event("n=3".to_owned())]).unwrap(), 3);
}

/// The wait of the first one cannot be ended, so its row stays locked; nothing is acknowledged in between.
#[test]
fn appends_behind_one_that_was_given_up_fail_until_the_standby_is_back() {
    let pair = Pair::of_its_own();
    let database = pair.database();
    let store = filled(&database, 1);
    let other = store::open(&located(&database), Access::Append).unwrap();
    pair.stop_standby();
    assert!(store.append(&[event("n=2".to_owned())]).is_err());

    let behind = other.append(&[event("n=3".to_owned())]);

    assert!(matches!(behind, Err(StoreError::Busy)), "{behind:?}");
    pair.continue_standby();
    assert_eq!(reopened(&*other), 2);
    assert_eq!(other.append(&[event("n=3".to_owned())]).unwrap(), 3);
}

#[test]
fn an_append_whose_wait_for_the_standby_was_cancelled_is_not_acknowledged() {
    let pair = Pair::of_its_own();
    let database = pair.database();
    let store = filled(&database, 1);
    pair.stop_standby();
    let outcome = std::thread::scope(|scope| {
        let appending = scope.spawn(|| store.append(&[event("n=2".to_owned())]));
        cancel_wait(&database, || appending.is_finished());
        appending.join().unwrap()
    });
    assert!(matches!(outcome, Err(StoreError::NotReplicated { .. })), "{outcome:?}");
}

/// While an append waits for the standby, nobody sees it; a crash of the primary ends the wait, and what is on
/// its disk alone becomes visible. If the standby were promoted then, it would be gone.
#[test]
fn after_a_crash_nobody_is_shown_an_event_that_only_the_primary_has() {
    let pair = Pair::of_its_own();
    let database = pair.database();
    let store = filled(&database, 1);
    pair.stop_standby();
    assert!(store.append(&[event("n=2".to_owned())]).is_err());
    assert_eq!(store.head().unwrap(), 1, "it is not visible while it waits");

    pair.kill_primary();
    pair.start_primary();

    // The control: any other client sees it.
    let position = "SELECT position FROM log_head";
    assert_eq!(database.connect().value(position).as_deref(), Some("2"));
    let read = || store::open(&located(&database), Access::Read).and_then(|store| store.head());
    let refused = read();
    assert!(refused.is_err(), "{refused:?}");
    let cancelled = std::thread::scope(|scope| {
        let reading = scope.spawn(read);
        cancel_wait(&database, || reading.is_finished());
        reading.join().unwrap()
    });
    assert!(cancelled.is_err(), "{cancelled:?}");
    pair.continue_standby();
    assert_eq!(reopened(&*store), 2);
    assert_eq!(read().unwrap(), 2);
}

#[test]
fn after_a_failover_the_other_host_of_the_url_is_used() {
    let pair = Pair::of_its_own();
    let database = pair.database();
    drop(filled(&database, 3));
    let store = store::open(&Database::parse(&pair.both_hosts(&database)).unwrap(), Access::Write);
    let store = store.unwrap();
    assert_eq!(store.append(&[event("n=4".to_owned())]).unwrap(), 4);

    pair.kill_primary();
    pair.promote_standby();

    assert!(store.append(&[event("n=5".to_owned())]).is_err());
    assert_eq!(reopened(&*store), 4);
    assert_eq!(store.append(&[event("n=5".to_owned())]).unwrap(), 5);
    let promoted = Connection::open(&database.standby_url());
    assert_eq!(promoted.value("SELECT count(*) FROM events").as_deref(), Some("5"));
}

/// The certificate is issued by the right authority, for another host.
#[test]
fn a_certificate_for_another_host_is_refused_unless_its_name_is_not_asked_for() {
    let pair = Pair::of_its_own();
    let database = pair.database();
    drop(filled(&database, 1));
    pair.use_certificate_for_another_host();
    let open = |sslmode: &str| {
        let authority = pair.file("ca.crt").display().to_string();
        let tls = format!("sslmode={sslmode}&sslrootcert={authority}");
        let url = database.url().replace("sslmode=disable", &tls);
        store::open(&Database::parse(&url).unwrap(), Access::Read)
            .map(|store| store.head().unwrap())
    };
    let refused = open("verify-full").unwrap_err().to_string();
    assert!(
        refused.contains("elsewhere.invalid") || refused.contains("not valid for"),
        "{refused}"
    );
    assert_eq!(open("verify-ca").unwrap(), 1);
}
