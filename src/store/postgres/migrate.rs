//! Schema migrations. The log's only ever add tables or columns; views of another version are discarded
//! and rebuilt.

use refinery_core::{Migration, Runner};
use uuid::Uuid;

use super::connect::connection::Connection;
use super::connect::error::{Failure, engine};
use super::connect::url::PostgresUrl;
use crate::store::StoreError;

const LOG: Migrations = Migrations {
    history: "log_migrations",
    each: &[
        ("V1__events", include_str!("../../../migrations/postgres/log/0001_events.sql")),
        ("V2__seals", include_str!("../../../migrations/postgres/log/0002_seals.sql")),
        ("V3__erasing", include_str!("../../../migrations/postgres/log/0003_erasing.sql")),
    ],
};

const QUARANTINE: Migrations = Migrations {
    history: "quarantine_migrations",
    each: &[
        ("V1__requests", include_str!("../../../migrations/postgres/quarantine/0001_requests.sql")),
        ("V2__ranks", include_str!("../../../migrations/postgres/quarantine/0002_ranks.sql")),
    ],
};

const FORWARD: Migrations = Migrations {
    history: "forward_migrations",
    each: &[("V1__targets", include_str!("../../../migrations/postgres/forward/0001_targets.sql"))],
};

/// The migrations of one set of tables.
struct Migrations {
    /// The table with those that were run.
    history: &'static str,
    each: &'static [(&'static str, &'static str)],
}

/// Migrates a ledger to this version's schema; fails if it is newer or the database has something else. What is
/// beside the log is made with it: the role of the server may have no right to create tables.
pub fn ledger(connection: &mut Connection, url: &PostgresUrl) -> Result<(), StoreError> {
    refuse_newer(connection, url)?;
    run(connection, &LOG, url)?;
    run(connection, &QUARANTINE, url)?;
    run(connection, &FORWARD, url)
}

/// Migrates a quarantine to this version's schema.
pub fn quarantine(connection: &mut Connection, url: &PostgresUrl) -> Result<(), StoreError> {
    run(connection, &QUARANTINE, url)
}

/// Migrates a store of forwarding to this version's schema.
pub fn forward(connection: &mut Connection, url: &PostgresUrl) -> Result<(), StoreError> {
    run(connection, &FORWARD, url)
}

/// Whether the quarantine exists.
pub fn has_quarantine(connection: &Connection) -> Result<bool, Failure> {
    exists(connection, QUARANTINE.history)
}

/// Whether the store of forwarding exists.
pub fn has_forward(connection: &Connection) -> Result<bool, Failure> {
    exists(connection, FORWARD.history)
}

/// Fails for a log with a newer schema, whose content this version could not maintain.
pub fn refuse_newer(connection: &Connection, url: &PostgresUrl) -> Result<(), StoreError> {
    let act = "read the schema's version";
    let found = version(connection, &LOG).map_err(engine(act))?;
    let known = LOG.each.len() as u32;
    // Another program's tables would mix with ours, and its owner could not tell them apart.
    let others = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
    let tables: i64 = connection
        .query_one(others, &[])
        .and_then(|row| Ok(row.try_get(0)?))
        .map_err(engine(act))?;
    // A rejected request may have come before the first event.
    let is_ours = has_quarantine(connection)
        .and_then(|quarantine| Ok(quarantine || has_forward(connection)?))
        .map_err(engine(act))?;
    match found {
        0 if tables > 0 && !is_ours => Err(StoreError::NotALedger {
            place: url.to_string(),
            detail: "it has tables of something else; create a database for the ledger".to_owned(),
        }),
        found if found > known => {
            Err(StoreError::NewerVersion { place: url.to_string(), found, known })
        }
        _ => Ok(()),
    }
}

/// The statements that have made a log: those of the migrations that it has had.
pub fn log_sql(connection: &Connection) -> Result<String, Failure> {
    let applied = version(connection, &LOG)? as usize;
    Ok(LOG.each.iter().take(applied).map(|(_, sql)| *sql).collect())
}

/// Whether the database has a log.
pub fn has_log(connection: &Connection) -> Result<bool, Failure> {
    Ok(version(connection, &LOG)? > 0)
}

/// The ledger's id.
pub fn ledger_id(connection: &Connection) -> Result<Uuid, Failure> {
    ledger_id_or(connection, None)
}

/// The ledger's id, created when the log is first opened for writing, unless this one is wanted. Of two
/// processes that create it at the same moment, both get that of the first.
pub fn ledger_id_or(connection: &Connection, wanted: Option<Uuid>) -> Result<Uuid, Failure> {
    let stored = "SELECT ledger_id FROM ledger";
    if connection.query_opt(stored, &[])?.is_none() {
        let made = wanted.unwrap_or_else(Uuid::now_v7);
        connection.execute(
            "INSERT INTO ledger(ledger_id) VALUES ($1) ON CONFLICT DO NOTHING",
            &[&made],
        )?;
    }
    Ok(connection.query_one(stored, &[])?.try_get(0)?)
}

/// The last migration that was run; 0 if none was.
fn version(connection: &Connection, migrations: &Migrations) -> Result<u32, Failure> {
    if !exists(connection, migrations.history)? {
        return Ok(0);
    }
    let sql = format!("SELECT coalesce(max(version), 0) FROM {}", migrations.history);
    let version: i32 = connection.query_one(&sql, &[])?.try_get(0)?;
    Ok(version as u32)
}

fn exists(connection: &Connection, table: &str) -> Result<bool, Failure> {
    let row = connection.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table])?;
    Ok(row.try_get(0)?)
}

/// Runs what was not run yet. Of two processes that start at the same moment, one waits for the other.
fn run(
    connection: &mut Connection,
    migrations: &Migrations,
    url: &PostgresUrl,
) -> Result<(), StoreError> {
    let act = format!("bring {url} to this version's schema");
    if version(connection, migrations).map_err(engine(&act))? == migrations.each.len() as u32 {
        return Ok(());
    }
    let lock = format!("SELECT pg_advisory_lock(hashtext('{}'))", migrations.history);
    connection.batch_execute(&lock).map_err(engine(&act))?;
    let read = migrations.each.iter().map(|(name, sql)| Migration::unapplied(name, sql));
    let outcome = read.collect::<Result<Vec<_>, _>>().and_then(|read| {
        // Grouped: a migration and the record that it has run are one transaction.
        let mut runner = Runner::new(&read).set_grouped(true);
        runner.set_migration_table_name(migrations.history);
        connection.run_migrations(&runner)
    });
    let unlock = lock.replace("pg_advisory_lock", "pg_advisory_unlock");
    let unlocked = connection.batch_execute(&unlock).map_err(engine(&act));
    outcome.map_err(|source| StoreError::Engine { act: act.clone(), cause: Box::new(source) })?;
    unlocked
}
