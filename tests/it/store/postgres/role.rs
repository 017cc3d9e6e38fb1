//! The role that `docs/deploy/postgres-role.sql` makes: a server needs no more rights, and it has none to change
//! the log.

use std::process::Stdio;

use delivery_ledger::domain::Rule;
use delivery_ledger::projection::replay;
use delivery_ledger::projection::verify::verify;
use delivery_ledger::store::{self, Access, Damage, Database, Store};
use uuid::Uuid;

use super::ledger::{callbacks, go_on, project};
use crate::support::postgres::{Connection, PostgresDatabase, Servers};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/deploy/postgres-role.sql");

/// A role in a database that an owner has prepared.
struct Role {
    name: String,
    url: String,
}

impl Role {
    /// Makes one by the script, with a password.
    fn of(database: &PostgresDatabase) -> Self {
        let name = format!("server_{}", Uuid::now_v7().simple());
        let mut psql = Servers::shared().as_server("psql");
        let variable = format!("role={name}");
        let text = std::fs::File::open(SCRIPT).unwrap();
        psql.args(["--quiet", "--no-psqlrc", "--set", &variable, "--dbname", database.url()]);
        let output = psql.stdin(Stdio::from(text)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let alter = format!("ALTER ROLE {name} PASSWORD 'of-the-server'");
        database.connect().execute(&alter).unwrap();
        let (_, server) = database.url().split_once('@').unwrap();
        Self { url: format!("postgres://{name}:of-the-server@{server}"), name }
    }

    fn open(&self, access: Access) -> Box<dyn Store> {
        store::open(&Database::parse(&self.url).unwrap(), access).unwrap()
    }
}

/// A ledger that its owner has begun.
fn begun_by_its_owner(database: &PostgresDatabase) {
    let store = store::open(&Database::parse(database.url()).unwrap(), Access::Create).unwrap();
    store.append(&callbacks(5)).unwrap();
    project(&*store);
}

#[test]
fn a_server_with_the_role_appends_projects_rebuilds_and_verifies() {
    let database = PostgresDatabase::fresh();
    begun_by_its_owner(&database);
    let role = Role::of(&database);

    let store = role.open(Access::Write);
    store.append(&callbacks(5)).unwrap();
    project(&*store);
    replay::replay(&*store, Rule::default(), &mut |_| go_on(0)).unwrap();
    let there = Database::parse(&role.url).unwrap();
    store::create_quarantine(&there).unwrap();
    store::create_forward_store(&there).unwrap();

    let verified = verify(&*store, None, &mut |_| go_on(0)).unwrap();
    assert_eq!((store.head().unwrap(), verified.findings), (10, Vec::new()));
    assert_eq!(store.views().count().unwrap(), 5);
    drop(store);
    // The owner reads what the role has made.
    let owner = store::open(&Database::parse(database.url()).unwrap(), Access::Write).unwrap();
    assert_eq!(owner.views().count().unwrap(), 5);
}

#[test]
fn the_role_has_no_right_to_change_the_log_or_what_guards_it() {
    let database = PostgresDatabase::fresh();
    begun_by_its_owner(&database);
    let role = Role::of(&database);
    let connection = Connection::open(&role.url);
    for attack in [
        "UPDATE events SET body = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "INSERT INTO events_0 SELECT position + 7, received_at, event_id, envelope, salt, variables, body \
         FROM events WHERE position = 5",
        "UPDATE envelopes SET envelope = 'x'",
        "UPDATE ledger SET ledger_id = gen_random_uuid()",
        "DROP TRIGGER events_never_change ON events",
        "ALTER TABLE events_0 DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION log_is_only_appended_to() RETURNS trigger LANGUAGE plpgsql \
         AS 'BEGIN RETURN OLD; END'",
        "DROP TABLE events_2",
        "SET session_replication_role = replica",
    ] {
        let refused = connection.execute(attack).unwrap_err();
        let code = refused.code().map(|code| code.code());
        assert_eq!(code, Some("42501"), "{attack}: insufficient_privilege, and not {refused:?}");
    }
}

#[test]
fn a_right_to_change_the_log_is_found() {
    for (granted, found) in [
        ("UPDATE ON events", "the right of {} to UPDATE on events"),
        ("DELETE ON events_1", "the right of {} to DELETE on events_1"),
        ("INSERT ON events_0", "the right of {} to INSERT on events_0"),
    ] {
        let database = PostgresDatabase::fresh();
        begun_by_its_owner(&database);
        let role = Role::of(&database);
        let store = role.open(Access::Write);
        assert_eq!(store.check_guards().unwrap(), []);
        database.connect().execute(&format!("GRANT {granted} TO {}", role.name)).unwrap();
        let name = found.replace("{}", &role.name);
        assert_eq!(store.check_guards().unwrap(), [Damage::Foreign { name }]);
    }
}

#[test]
fn an_erasure_by_the_owner_leaves_views_that_the_server_can_write() {
    let database = PostgresDatabase::fresh();
    begun_by_its_owner(&database);
    let role = Role::of(&database);
    let store = role.open(Access::Write);
    replay::replay(&*store, Rule::default(), &mut |_| go_on(0)).unwrap();
    drop(store);
    let folder = tempfile::TempDir::new().unwrap();
    let sid = crate::support::sid(1);
    let erase = |url: &str| {
        let erase = ["erase", "--message", &sid, "--request", "DSR-1", "--yes", "--open"];
        let arguments = [&["--database", url], &erase[..]].concat();
        crate::support::Command::new(folder.path(), &arguments).output()
    };

    let refused = erase(&role.url);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr.contains("erasing takes the role that owns"), "{stderr}");
    let erased = erase(database.url());
    assert_eq!(erased.status.code(), Some(0), "{}", String::from_utf8_lossy(&erased.stderr));

    let store = role.open(Access::Write);
    store.append(&callbacks(5)).unwrap();
    project(&*store);
    let verified = verify(&*store, None, &mut |_| go_on(0)).unwrap();
    assert_eq!(verified.findings, Vec::new());
}
