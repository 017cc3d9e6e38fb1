//! Claims of idempotency keys, which all processes of a ledger share.

use delivery_ledger::domain::Timestamp;
use delivery_ledger::store::claims::{Claim, Claimed, Claims, KeptSince};
use delivery_ledger::store::{self, Access, Database, Store, StoreError};

use crate::support::postgres::{Pair, PostgresDatabase};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn claim(key: &str, seconds: i64) -> Claim {
    Claim { key: key.to_owned(), request_hash: format!("hash of {seconds}"), at: at(seconds) }
}

/// As at second 1000: a claim in flight is kept for 100 seconds, one with an outcome for 500.
const KEPT: KeptSince = KeptSince {
    with_outcome: Timestamp::from_micros(500 * 1_000_000),
    in_flight: Timestamp::from_micros(900 * 1_000_000),
};

fn kept(claim: &Claim, outcome: Option<&[u8]>) -> Claimed {
    let request_hash = claim.request_hash.clone();
    Claimed::Kept { request_hash, outcome: outcome.map(<[u8]>::to_vec) }
}

/// Two processes of one ledger.
fn two_processes(database: &PostgresDatabase) -> [Box<dyn Store>; 2] {
    let database = Database::parse(database.url()).unwrap();
    [Access::Create, Access::Append].map(|access| store::open(&database, access).unwrap())
}

fn claims(store: &dyn Store) -> &dyn Claims {
    store.claims().expect("PostgreSQL has claims that all processes share")
}

#[test]
fn of_all_that_claim_a_key_at_the_same_moment_one_gets_it() {
    let database = PostgresDatabase::fresh();
    let stores = two_processes(&database);
    for round in 0..20 {
        let key = format!("order-{round}");
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|number| {
                    let (store, claim) = (&*stores[number % 2], claim(&key, 1000 + number as i64));
                    scope.spawn(move || claims(store).claim(&claim, KEPT).unwrap())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let new = outcomes.iter().filter(|claimed| **claimed == Claimed::New).count();
        assert_eq!(new, 1, "{outcomes:?}");
        assert!(!outcomes.contains(&Claimed::TakenOver), "{outcomes:?}");
    }
}

#[test]
fn the_outcome_of_a_claim_is_known_to_every_process() {
    let database = PostgresDatabase::fresh();
    let [one, other] = two_processes(&database);
    let first = claim("k", 1000);
    assert_eq!(claims(&*one).claim(&first, KEPT).unwrap(), Claimed::New);
    assert_eq!(claims(&*other).claim(&claim("k", 1001), KEPT).unwrap(), kept(&first, None));
    assert_eq!(claims(&*other).claim(&claim("K", 1001), KEPT).unwrap(), Claimed::New);

    claims(&*one).settle(&first, b"any\0bytes\xff").unwrap();

    let known = claims(&*other).claim(&claim("k", 1002), KEPT).unwrap();
    assert_eq!(known, kept(&first, Some(b"any\0bytes\xff")));
}

#[test]
fn a_claim_in_flight_is_taken_over_once_it_is_too_old() {
    let database = PostgresDatabase::fresh();
    let [one, other] = two_processes(&database);
    let (in_time, too_old) = (claim("in time", 900), claim("too old", 899));
    for early in [&in_time, &too_old] {
        assert_eq!(claims(&*one).claim(early, KEPT).unwrap(), Claimed::New);
    }
    assert_eq!(claims(&*other).claim(&claim("in time", 1000), KEPT).unwrap(), kept(&in_time, None));
    let later = claim("too old", 1000);
    assert_eq!(claims(&*other).claim(&later, KEPT).unwrap(), Claimed::TakenOver);

    let is_held = |claim: &Claim| claims(&*one).is_held(claim).unwrap();
    assert_eq!([&in_time, &too_old, &later].map(is_held), [true, false, true]);
    claims(&*one).release(&too_old).unwrap();
    assert!(is_held(&later), "the key of another process was given back");
    claims(&*one).settle(&too_old, b"late").unwrap();
    let known = claims(&*other).claim(&claim("too old", 1001), KEPT).unwrap();
    assert_eq!(known, kept(&too_old, Some(b"late")));
}

#[test]
fn a_claim_with_an_outcome_is_kept_longer() {
    let database = PostgresDatabase::fresh();
    let [store, _] = two_processes(&database);
    for (key, seconds) in [("kept", 500), ("too old", 499)] {
        let early = claim(key, seconds);
        assert_eq!(claims(&*store).claim(&early, KEPT).unwrap(), Claimed::New);
        claims(&*store).settle(&early, b"done").unwrap();
    }
    let asked = |key| claims(&*store).claim(&claim(key, 1000), KEPT).unwrap();
    assert_eq!(asked("kept"), kept(&claim("kept", 500), Some(b"done")));
    assert_eq!(asked("too old"), Claimed::TakenOver);
    assert_eq!(asked("too old"), kept(&claim("too old", 1000), None));
}

#[test]
fn a_key_that_was_given_back_can_be_claimed_again() {
    let database = PostgresDatabase::fresh();
    let [one, other] = two_processes(&database);
    let first = claim("k", 1000);
    claims(&*one).claim(&first, KEPT).unwrap();

    claims(&*one).release(&first).unwrap();

    assert!(!claims(&*one).is_held(&first).unwrap());
    assert_eq!(claims(&*other).claim(&claim("k", 1001), KEPT).unwrap(), Claimed::New);
}

#[test]
fn claims_that_nobody_asks_for_any_more_are_removed() {
    let database = PostgresDatabase::fresh();
    let [store, _] = two_processes(&database);
    let seconds = |key| i64::from(key) * 100;
    for key in 1..20 {
        claims(&*store).claim(&claim(&key.to_string(), seconds(key)), KEPT).unwrap();
    }
    let hours_later = KeptSince { with_outcome: at(10_000), in_flight: at(10_000) };
    claims(&*store).claim(&claim("later", 10_000), hours_later).unwrap();
    let left = database.connect().value("SELECT string_agg(key, ' ') FROM claims");
    assert_eq!(left.as_deref(), Some("later"));
}

/// It would be lost with the primary, and the key could be claimed again.
#[test]
fn a_claim_that_the_standby_has_not_confirmed_is_none() {
    let pair = Pair::of_its_own();
    let database = pair.database();
    let [store, _] = two_processes(&database);
    // Later it has a connection, which would wait for the standby, too.
    claims(&*store).claim(&claim("earlier", 1000), KEPT).unwrap();
    pair.stop_standby();
    let outcome = std::thread::scope(|scope| {
        let claiming = scope.spawn(|| claims(&*store).claim(&claim("k", 1000), KEPT));
        let other = database.connect();
        other.execute("SET synchronous_commit = local").unwrap();
        let cancel =
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while other.value(cancel).is_none() {
            assert!(!claiming.is_finished());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        claiming.join().unwrap()
    });
    assert!(matches!(outcome, Err(StoreError::NotReplicated { .. })), "{outcome:?}");
}
