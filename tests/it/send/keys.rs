//! Idempotency keys, on each engine, and of two servers of one ledger on PostgreSQL.

use std::time::Duration;

use delivery_ledger::domain::{NewEvent, Source, Timestamp};
use delivery_ledger::send::idempotency::{IdempotencyKeys, Lookup};
use delivery_ledger::send::{Done, LoggedOutcome, SendOutcome, note};
use delivery_ledger::store::claims::Claim;
use delivery_ledger::store::{self, Access, Database, Store};

use super::{hello, post, posted};
use crate::support::App;
use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::postgres::PostgresDatabase;
use crate::support::twilio::{Fault, Twilio};

/// A server of the ledger.
struct Server {
    store: Box<dyn Store>,
    keys: IdempotencyKeys,
}

impl Server {
    fn of(store: Box<dyn Store>) -> Self {
        Self { store, keys: IdempotencyKeys::default() }
    }

    /// Asks for the key `k` at this second, for the request with this hash.
    fn asks(&self, seconds: i64, request_hash: &str) -> Lookup {
        self.keys.claim(&*self.store, "k", request_hash, at(seconds)).unwrap()
    }

    /// Claims the key `k`, which has to be new.
    #[track_caller]
    fn claims(&self, seconds: i64) -> Claim {
        match self.asks(seconds, "hash") {
            Lookup::New(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    fn is_held(&self, claim: &Claim) -> bool {
        self.keys.is_held(&*self.store, claim).unwrap()
    }

    fn settles(&self, claim: &Claim, outcome: SendOutcome) {
        let outcome = logged(outcome, 1, Some(2));
        self.keys.settle(&*self.store, claim, Some(&outcome)).unwrap();
    }

    /// Logs the intent of a request with the key `k`.
    fn logs_intent(&self, seconds: i64, request_hash: &str) {
        let (key, hash) = (note::IDEMPOTENCY_KEY, note::REQUEST_HASH);
        self.logs(seconds, &[(note::STAGE, "intent"), (key, "k"), (hash, request_hash)]);
    }

    /// Logs that its outcome is not known, or that nothing was sent.
    fn logs_outcome(&self, seconds: i64, outcome: &str) {
        let (outcome, reason) = ((note::OUTCOME, outcome), (note::REASON, "why"));
        self.logs(seconds, &[(note::STAGE, "no_answer"), outcome, reason]);
    }

    fn logs(&self, seconds: i64, notes: &[(&str, &str)]) {
        let notes = notes.iter().chain(&[(note::SEND_ID, "an id")]);
        let notes = notes.map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let received_at = at(seconds);
        let event = NewEvent { source: Source::Send, received_at, notes, ..event("To=x") };
        self.store.append(&[event]).unwrap();
    }
}

const DAY: i64 = 24 * 60 * 60;

/// A second of a day in 2026.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_790_000_000 + seconds) * 1_000_000)
}

fn logged(outcome: SendOutcome, intent: u64, answer: Option<u64>) -> LoggedOutcome {
    LoggedOutcome {
        send_id: "an id".to_owned(),
        outcome,
        intent_position: intent,
        answer_position: answer,
    }
}

fn sent() -> SendOutcome {
    SendOutcome::Done(Done { message_sid: "SM1".to_owned(), word: "queued".to_owned() })
}

/// As an interrupted request is found in the log.
fn interrupted() -> Lookup {
    let reason = "the server ended before Twilio's answer was kept".to_owned();
    Lookup::Done(logged(SendOutcome::Unknown(reason), 1, None))
}

fn located(database: &PostgresDatabase) -> Database {
    Database::parse(database.url()).unwrap()
}

/// Two servers of one ledger.
fn two_servers(database: &PostgresDatabase) -> [Server; 2] {
    let open = |access| Server::of(store::open(&located(database), access).unwrap());
    [Access::Create, Access::Append].map(open)
}

/// Runs `check` with a new ledger on each engine.
fn on_each_engine(check: impl Fn(&Database)) {
    check(&Ledger::new().database());
    check(&located(&PostgresDatabase::fresh()));
}

#[test]
fn a_key_is_new_once() {
    on_each_engine(|database| {
        let server = Server::of(store::open(database, Access::Create).unwrap());
        let claim = server.claims(0);
        assert!(server.is_held(&claim));
        assert_eq!(server.asks(1, "hash"), Lookup::InFlight);
        assert_eq!(server.asks(1, "another"), Lookup::OtherRequest);
        server.settles(&claim, sent());
        assert_eq!(server.asks(2, "hash"), Lookup::Done(logged(sent(), 1, Some(2))));
        assert_eq!(server.asks(DAY, "another"), Lookup::OtherRequest);
        let tomorrow = server.asks(DAY + 1, "another");
        assert!(matches!(tomorrow, Lookup::New(_)), "{tomorrow:?}");
    });
}

#[test]
fn a_key_of_a_request_that_was_not_sent_is_new_again() {
    on_each_engine(|database| {
        let server = Server::of(store::open(database, Access::Create).unwrap());
        let claim = server.claims(0);
        server.settles(&claim, SendOutcome::NotSent("no connection".to_owned()));
        let claim = server.claims(1);
        server.keys.settle(&*server.store, &claim, None).unwrap();
        server.claims(2);
    });
}

#[test]
fn the_keys_in_the_log_are_known_after_a_start() {
    on_each_engine(|database| {
        let before = Server::of(store::open(database, Access::Create).unwrap());
        before.logs_intent(0, "hash");
        before.logs_outcome(1, "unknown");
        drop(before);
        let server = Server::of(store::open(database, Access::Write).unwrap());
        assert_eq!(server.asks(2, "another"), Lookup::OtherRequest);
        let unknown = logged(SendOutcome::Unknown("why".to_owned()), 1, Some(2));
        assert_eq!(server.asks(3, "hash"), Lookup::Done(unknown.clone()));
        assert_eq!(server.asks(4, "hash"), Lookup::Done(unknown));
    });
}

#[test]
fn a_key_whose_request_was_not_sent_according_to_the_log_is_new_after_a_start() {
    on_each_engine(|database| {
        let before = Server::of(store::open(database, Access::Create).unwrap());
        before.logs_intent(0, "hash");
        before.logs_outcome(1, "not_sent");
        drop(before);
        Server::of(store::open(database, Access::Write).unwrap()).claims(2);
    });
}

// Of two servers.

#[test]
fn a_key_is_new_to_one_of_two_servers() {
    let database = PostgresDatabase::fresh();
    let [one, other] = two_servers(&database);
    let claim = one.claims(0);
    assert_eq!(other.asks(1, "hash"), Lookup::InFlight);
    assert_eq!(other.asks(1, "another"), Lookup::OtherRequest);
    one.settles(&claim, sent());
    assert_eq!(other.asks(2, "hash"), Lookup::Done(logged(sent(), 1, Some(2))));
}

#[test]
fn a_server_that_ended_before_its_intent_was_logged_has_sent_nothing() {
    let database = PostgresDatabase::fresh();
    let [ended, other] = two_servers(&database);
    let claim = ended.claims(0);
    assert_eq!(other.asks(120, "hash"), Lookup::InFlight);
    let taken_over = other.claims(121);
    // It was only slow: it logs its intent now, and sends nothing.
    ended.logs_intent(121, "hash");
    assert!(!ended.is_held(&claim));
    ended.keys.settle(&*ended.store, &claim, None).unwrap();
    assert!(other.is_held(&taken_over));
}

#[test]
fn nothing_is_sent_again_for_a_server_that_ended_after_its_intent_was_logged() {
    let database = PostgresDatabase::fresh();
    let [ended, other] = two_servers(&database);
    other.keys.claim(&*other.store, "another key", "hash", at(0)).unwrap(); // reads the log
    let claim = ended.claims(0);
    ended.logs_intent(1, "hash");

    assert_eq!(other.asks(120, "hash"), Lookup::InFlight);
    assert_eq!(other.asks(121, "hash"), interrupted());
    assert_eq!(other.asks(122, "hash"), interrupted());
    assert_eq!(ended.asks(123, "another"), Lookup::OtherRequest);

    // It was only slow, and knows better.
    ended.settles(&claim, sent());
    assert_eq!(other.asks(124, "hash"), Lookup::Done(logged(sent(), 1, Some(2))));
}

#[test]
fn another_request_is_refused_with_the_key_of_a_server_that_ended() {
    let database = PostgresDatabase::fresh();
    let [ended, other] = two_servers(&database);
    ended.claims(0);
    ended.logs_intent(1, "hash");
    for seconds in [1, 121, 122] {
        assert_eq!(other.asks(seconds, "another"), Lookup::OtherRequest);
    }
    assert_eq!(other.asks(123, "hash"), interrupted());
}

#[test]
fn a_killed_server_does_not_send_again_on_postgresql() {
    let database = PostgresDatabase::fresh();
    let twilio = Twilio::start();
    let (name, url) = twilio.variable();
    let mut app = App::not_started(&[
        (name, &url),
        ("TWILIO_API_TIMEOUT", "60s"),
        ("DELIVERY_LEDGER_DATABASE", database.url()),
    ]);
    app.use_token_with_scope("read send");
    app.restart();
    twilio.next(Fault::Hang(Duration::from_secs(30)));
    let (request, admin) = (app.with_token(posted(Some("k"), hello())), app.admin());
    let asker = std::thread::spawn(move || std::panic::catch_unwind(|| request.send(admin)));
    app.eventually("the message was created", || twilio.made().len() == 1);
    app.kill();
    let _no_answer = asker.join();
    app.restart();

    // Another server might still be waiting for Twilio.
    assert_eq!(post(&app, Some("k"), hello()).code, 409);
    let later = "UPDATE claims SET claimed_at = claimed_at - 121 * 1000000";
    database.connect().execute(later).unwrap();
    assert_eq!(post(&app, Some("k"), hello()).code, 504);

    assert_eq!(post(&app, Some("k2"), hello()).code, 201);
    assert_eq!(post(&app, Some("k2"), hello()).header("idempotency-replayed"), Some("true"));
    app.kill();
    app.restart();
    assert_eq!(post(&app, Some("k"), hello()).code, 504);
    assert_eq!(post(&app, Some("k2"), hello()).header("idempotency-replayed"), Some("true"));
    assert_eq!(twilio.made().len(), 2);
}
