//! Schema migrations. The log's only ever add tables or columns; views of another version are discarded
//! and rebuilt.

use std::path::Path;
use std::time::{Duration, Instant};

use refinery_core::{Migration, Runner};
use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::{engine, place};

/// How long another process may take to migrate a small file.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(2);

const LOG: [(&str, &str); 3] = [
    ("V1__events", include_str!("../../../migrations/sqlite/log/0001_events.sql")),
    ("V2__seals", include_str!("../../../migrations/sqlite/log/0002_seals.sql")),
    ("V3__erasing", include_str!("../../../migrations/sqlite/log/0003_erasing.sql")),
];

const VIEWS: [(&str, &str); 1] =
    [("V1__messages", include_str!("../../../migrations/sqlite/views/0001_messages.sql"))];

const QUARANTINE: [(&str, &str); 2] = [
    ("V1__requests", include_str!("../../../migrations/sqlite/quarantine/0001_requests.sql")),
    ("V2__ranks", include_str!("../../../migrations/sqlite/quarantine/0002_ranks.sql")),
];

const FORWARD: [(&str, &str); 1] =
    [("V1__targets", include_str!("../../../migrations/sqlite/forward/0001_targets.sql"))];

/// The tables of the views.
pub const VIEW_TABLES: [&str; 10] = [
    "checkpoint",
    "tree_nodes",
    "accounts",
    "messages",
    "tags",
    "tag_names",
    "rollups",
    "logged_errors",
    "logged_error_ids",
    "silent_events",
];

/// The indexes that their queries name.
const VIEW_INDEXES: [&str; 10] = [
    "messages_by_sid",
    "messages_by_recipient",
    "messages_by_sender",
    "messages_conflict",
    "messages_late",
    "messages_duplicate",
    "messages_open",
    "messages_inbound",
    "messages_without_status",
    "tags_by_hash",
];

/// Migrates a log to this version's schema; fails if it is newer or not a log.
pub fn log(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    refuse_newer(connection, path)?;
    run(connection, &LOG, path)
}

/// Creates the schema of empty views.
pub fn views(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    run(connection, &VIEWS, path)
}

/// Migrates a quarantine to this version's schema; fails if it is newer.
pub fn quarantine(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    refuse_newer_than(QUARANTINE.len(), connection, path)?;
    run_beside_others(connection, &QUARANTINE, path)
}

/// Whether a quarantine has an older schema. A newer one is an error.
pub fn quarantine_is_older(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    is_older_than(QUARANTINE.len(), connection, path)
}

/// Migrates a store of forwarding to this version's schema.
pub fn forward(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    run_beside_others(connection, &FORWARD, path)
}

/// Fails for a store of forwarding with a newer schema, before anything is changed in its files.
pub fn refuse_newer_forward_untouched(path: &Path) -> Result<(), StoreError> {
    refuse_newer_than(FORWARD.len(), &connect::for_examination(path)?, path)
}

/// Whether a store of forwarding has an older schema. A newer one is an error.
pub fn forward_is_older(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    is_older_than(FORWARD.len(), connection, path)
}

/// Whether views have exactly this version's schema; an error if they are not usable at all.
pub fn views_are_current(connection: &Connection) -> Result<bool, String> {
    let applied = applied(connection).map_err(|error| error.to_string())?;
    let known = runner(&VIEWS).map_err(|error| error.to_string())?;
    let known = known.get_migrations().iter();
    let known: Vec<_> =
        known.map(|migration| (migration.version(), migration.checksum().to_string())).collect();
    if applied != known {
        return Ok(false);
    }
    let schema = schema(connection).map_err(|error| error.to_string())?;
    let has = |name: &&&str| schema.iter().any(|(_, existing, _)| existing == **name);
    match VIEW_TABLES.iter().chain(&VIEW_INDEXES).find(|name| !has(name)) {
        None => Ok(true),
        Some(name) => Err(format!("they have no {name}")),
    }
}

/// Fails for a log with a newer schema, whose content this version could not maintain.
pub fn refuse_newer(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    refuse_newer_than(LOG.len(), connection, path)?;
    refuse_unreleased(connection, path)
}

/// The same before anything is changed in its files: neither its journal mode, nor what its WAL contains.
pub fn refuse_newer_untouched(path: &Path) -> Result<(), StoreError> {
    refuse_newer(&connect::for_examination(path)?, path)
}

/// Fails for a log of 0.1.0-dev, whose events had no salts and other digests. Nothing was released with it,
/// so there is no migration.
fn refuse_unreleased(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let sql = "SELECT (SELECT count(*) FROM pragma_table_info('events'))
                   AND NOT (SELECT count(*) FROM pragma_table_info('events') WHERE name = 'salt')";
    let unreleased: bool = crate::store::sqlite::query_value(connection, sql)
        .map_err(engine("read the schema of the log"))?;
    match unreleased {
        true => Err(StoreError::UnreleasedVersion { path: path.to_owned() }),
        false => Ok(()),
    }
}

fn is_older_than(known: usize, connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    refuse_newer_than(known, connection, path)?;
    let applied = applied(connection).map_err(engine("read the schema's version"))?;
    Ok(applied.len() < known)
}

fn refuse_newer_than(known: usize, connection: &Connection, path: &Path) -> Result<(), StoreError> {
    // A first start that was killed may have created the list of migrations and run none.
    let sql = "SELECT count(*) FROM sqlite_master WHERE tbl_name <> 'refinery_schema_history'";
    let tables: i64 = crate::store::sqlite::query_value(connection, sql)
        .map_err(|error| connect::not_a_ledger(path, error))?;
    let applied = applied(connection).map_err(engine("read the schema's version"))?;
    let found = applied.last().map_or(0, |(version, _)| *version);
    match u32::try_from(found) {
        Ok(0) if tables > 0 => Err(StoreError::NotALedger {
            place: place(path),
            detail: "it has tables of something else".to_owned(),
        }),
        Ok(found) if found > known as u32 => {
            Err(StoreError::NewerVersion { place: place(path), found, known: known as u32 })
        }
        _ => Ok(()),
    }
}

/// Fails for a file without any migration, which cannot be read; opening it for writing makes it a log.
pub fn refuse_empty(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match applied(connection).map_err(engine("read the schema's version"))?.is_empty() {
        false => Ok(()),
        true => Err(empty(path)),
    }
}

/// The error for an empty file.
pub fn empty(path: &Path) -> StoreError {
    StoreError::NotALedger {
        place: place(path),
        detail: "it is empty; serve makes a ledger of it".to_owned(),
    }
}

/// The ledger's id, created when the log is first opened for writing.
pub fn ledger_id(connection: &Connection, path: &Path) -> Result<Uuid, StoreError> {
    ledger_id_or(connection, path, None)
}

/// The same; a new ledger gets this id, if one is given.
pub fn ledger_id_or(
    connection: &Connection,
    path: &Path,
    new_id: Option<Uuid>,
) -> Result<Uuid, StoreError> {
    let act = format!("read the ledger's id in {}", path.display());
    let stored: Option<Vec<u8>> = connection
        .query_row("SELECT ledger_id FROM ledger", [], |row| row.get(0))
        .optional()
        .map_err(engine(&act))?;
    match stored {
        Some(bytes) => Uuid::from_slice(&bytes).map_err(|_| StoreError::NotALedger {
            place: place(path),
            detail: format!("its ledger_id has {} bytes, not 16", bytes.len()),
        }),
        None => {
            let made = new_id.unwrap_or_else(Uuid::now_v7);
            connection
                .execute("INSERT INTO ledger(ledger_id) VALUES (?1)", [made.as_bytes()])
                .map_err(engine(&act))?;
            Ok(made)
        }
    }
}

/// The schema that a log should have, as SQLite describes it: (kind, name, SQL). One that no writing process of
/// this version has opened yet still has that of an earlier version.
pub fn schema_of_log(connection: &Connection) -> Result<Vec<(String, String, String)>, StoreError> {
    let applied = applied(connection).map_err(engine("read the schema's version"))?.len();
    let mut fresh = Connection::open_in_memory().map_err(engine("open a database in memory"))?;
    run(&mut fresh, &LOG[..applied.clamp(1, LOG.len())], Path::new(":memory:"))?;
    schema(&fresh)
}

/// A file's schema: (kind, name, SQL).
pub fn schema(connection: &Connection) -> Result<Vec<(String, String, String)>, StoreError> {
    let mut statement = connection
        .prepare("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        .map_err(engine("read the schema"))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.and_then(Iterator::collect).map_err(engine("read the schema"))
}

fn runner(migrations: &[(&str, &str)]) -> Result<Runner, refinery_core::Error> {
    let read = migrations.iter().map(|(name, sql)| Migration::unapplied(name, sql));
    // Grouped: a migration and the record that it has run are one transaction. If the program were killed
    // between the two, the next start would find unrecorded tables, and refuse them.
    Ok(Runner::new(&read.collect::<Result<Vec<_>, _>>()?).set_grouped(true))
}

fn run(
    connection: &mut Connection,
    migrations: &[(&str, &str)],
    path: &Path,
) -> Result<(), StoreError> {
    let outcome = runner(migrations).and_then(|runner| runner.run(connection));
    outcome.map(|_report| ()).map_err(|source| StoreError::Engine {
        act: format!("bring {} to this version's schema", path.display()),
        cause: Box::new(source),
    })
}

/// Migrates a file that other processes may be migrating at the same moment. Of two that run a migration, one
/// fails, because the tables are there already; it then waits for the other.
fn run_beside_others(
    connection: &mut Connection,
    migrations: &[(&str, &str)],
    path: &Path,
) -> Result<(), StoreError> {
    let deadline = Instant::now() + MIGRATION_PATIENCE;
    while let Err(error) = run(connection, migrations, path) {
        if !is_older_than(migrations.len(), connection, path)? {
            break;
        }
        if Instant::now() >= deadline {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Version and checksum of every migration applied to a file, in order.
fn applied(connection: &Connection) -> rusqlite::Result<Vec<(i32, String)>> {
    let there: i64 = crate::store::sqlite::query_value(
        connection,
        "SELECT count(*) FROM sqlite_master WHERE name = 'refinery_schema_history'",
    )?;
    if there == 0 {
        return Ok(Vec::new());
    }
    let mut statement = connection
        .prepare("SELECT version, checksum FROM refinery_schema_history ORDER BY version")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
