//! What the other tests with PostgreSQL rely on: the servers that `tests/postgres/pair` starts are a synchronous
//! pair, a test's database is its own, and a pooler is a pooler.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::support::postgres::{Connection, Pair, Pooler, Pooling, PostgresDatabase, Servers};

const PATIENCE: Duration = Duration::from_secs(60);

fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never held");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Makes a table of one column.
fn make_table(database: &PostgresDatabase) {
    database.connect().execute("CREATE TABLE facts (fact text)").unwrap();
}

/// Its rows, in order.
fn facts(url: &str) -> String {
    let query = "SELECT string_agg(fact, ' ' ORDER BY fact) FROM facts";
    Connection::open(url).value(query).unwrap_or_default()
}

#[test]
fn a_committed_row_is_on_the_disk_of_the_standby() {
    let database = PostgresDatabase::fresh();
    make_table(&database);
    let (primary, standby) = (database.connect(), Connection::open(&database.standby_url()));
    for _ in 0..20 {
        primary.execute("BEGIN; INSERT INTO facts VALUES ('here')").unwrap();
        let written = primary.value("SELECT pg_current_wal_insert_lsn()").unwrap();
        primary.execute("COMMIT").unwrap();
        let received = standby.value("SELECT pg_last_wal_receive_lsn()").unwrap();
        let is_there = primary.value(&format!("SELECT '{received}'::pg_lsn > '{written}'"));
        assert_eq!(is_there.as_deref(), Some("t"), "written {written}, received {received}");
    }
}

#[test]
fn without_the_standby_a_commit_waits_unless_it_is_local() {
    let pair = Pair::of_its_own();
    let database = pair.database();
    make_table(&database);
    pair.stop_standby();

    let local = database.connect();
    local.execute("SET synchronous_commit = local").unwrap();
    local.execute("INSERT INTO facts VALUES ('local')").unwrap();
    assert_eq!(facts(database.url()), "local");

    let waiting = database.connect();
    let waiting =
        std::thread::spawn(move || waiting.execute("INSERT INTO facts VALUES ('waited')"));
    until(|| local.value("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'").is_some());
    assert!(!waiting.is_finished());
    assert_eq!(facts(database.url()), "local");

    pair.continue_standby();
    waiting.join().unwrap().unwrap();
    assert_eq!(facts(database.url()), "local waited");
    until(|| facts(&database.standby_url()) == "local waited");
}

#[test]
fn a_committed_row_survives_a_crash_and_the_loss_of_the_primary() {
    let pair = Pair::of_its_own();
    let database = pair.database();
    make_table(&database);
    database.connect().execute("INSERT INTO facts VALUES ('kept')").unwrap();

    pair.kill_primary();
    assert!(Connection::try_open(database.url()).is_err());
    pair.start_primary();
    assert_eq!(facts(database.url()), "kept");

    pair.kill_primary();
    pair.promote_standby();
    let promoted = Connection::open(&database.standby_url());
    promoted.execute("INSERT INTO facts VALUES ('added')").unwrap();
    assert_eq!(facts(&database.standby_url()), "added kept");
}

#[test]
fn a_database_is_empty_and_removed_at_the_end() {
    let servers = Connection::open(&Servers::shared().primary);
    let exists = |name: &str| {
        servers.value(&format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).is_some()
    };
    let (one, another) = (PostgresDatabase::fresh(), PostgresDatabase::fresh());
    make_table(&one);
    let connected = another.connect();
    let name = connected.value("SELECT current_database()").unwrap();
    assert_eq!(connected.value("SELECT to_regclass('facts')"), None);
    assert!(exists(&name));
    drop(another);
    assert!(!exists(&name), "it is removed although somebody is connected");
}

#[test]
fn the_servers_certificate_is_for_localhost_by_one_authority_only() {
    let folder = Servers::shared().folder;
    let url = Servers::shared().primary.replace("sslmode=disable", "sslmode=require");
    let over_tls = |url: &str, authority: &str| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join(authority)).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Connection::try_open_with(url, MakeRustlsConnect::new(config))
    };
    for host in ["127.0.0.1", "localhost"] {
        let connection = over_tls(&url.replace("127.0.0.1", host), "ca.crt").unwrap();
        let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        assert_eq!(connection.value(encrypted).as_deref(), Some("t"));
    }
    assert!(over_tls(&url, "other-ca.crt").is_err());
}

#[test]
fn only_a_pooler_in_session_mode_leaves_a_lock_to_its_session() {
    let servers = Servers::shared();
    let database = PostgresDatabase::fresh();
    let is_exclusive = |pooling| {
        let pooler = Pooler::start(&servers, pooling);
        let url = pooler.url(&database);
        let (one, another) = (Connection::open(&url), Connection::open(&url));
        let lock = |connection: &Connection| {
            connection.value("SELECT pg_try_advisory_lock(1)").as_deref() == Some("t")
        };
        assert!(lock(&one));
        !lock(&another)
    };
    assert!(is_exclusive(Pooling::Session));
    assert!(!is_exclusive(Pooling::Transaction), "both use one connection to the server");
}
