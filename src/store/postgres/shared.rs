//! What all processes of a ledger share apart from its log and its views: tasks and small values.
//! A task is an advisory lock, which ends with its connection.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, engine};
use crate::store::postgres::connect::url::PostgresUrl;
use crate::store::{KeptValue, StoreError, Task, TaskGuard};

/// The first number of every lock of this program: `dlvr` as bytes. Other programs may have others in the same
/// database.
const LOCKS: i32 = 0x646c_7672;

/// The second number of each lock.
const WRITER: i32 = 1;
const REPLAY: i32 = 2;
const IMPORT: i32 = 3;
const RECONCILE: i32 = 4;
const RECHECK: i32 = 5;
const ERASE: i32 = 6;

/// How long to wait for a lock. Commands hold some for a moment.
const PATIENCE: Duration = Duration::from_millis(1000);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// A lock, and the connection that holds it.
pub struct Lock(Connection);

impl TaskGuard for Lock {
    fn is_held(&self) -> bool {
        self.0.batch_execute("").is_ok()
    }
}

/// Takes the right to run a task, waiting up to a second; `None` if another process keeps it.
pub fn begin(url: &PostgresUrl, task: Task) -> Result<Option<Box<dyn TaskGuard>>, StoreError> {
    let number = match task {
        Task::Import => IMPORT,
        Task::Reconcile => RECONCILE,
        Task::Recheck => RECHECK,
        Task::Erase => ERASE,
    };
    Ok(soon(url, "pg_try_advisory_lock", number)?.map(|lock| Box::new(lock) as _))
}

/// Who may write to a ledger at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    None,
    /// The other nodes of the ledger.
    Nodes,
}

/// Takes the lock of a process that appends and projects, beside others of its kind or alone; `None` if another
/// process keeps it.
pub fn begin_writing(url: &PostgresUrl, others: Others) -> Result<Option<Lock>, StoreError> {
    let lock = match others {
        Others::None => soon(url, "pg_try_advisory_lock", WRITER)?,
        Others::Nodes => soon(url, "pg_try_advisory_lock_shared", WRITER)?,
    };
    if let Some(Lock(connection)) = &lock {
        refuse_shared_session(connection, url)?;
    }
    Ok(lock)
}

/// Takes the lock of a node on this connection; false if a command writes alone.
pub fn try_lock_as_node(connection: &Connection) -> Result<bool, Failure> {
    let sql = "SELECT pg_try_advisory_lock_shared($1, $2)";
    Ok(connection.query_one(sql, &[&LOCKS, &WRITER])?.try_get(0)?)
}

/// Fails if a pooler gives the session of an idle connection to another one, which would get its locks and its
/// settings.
fn refuse_shared_session(connection: &Connection, url: &PostgresUrl) -> Result<(), StoreError> {
    let session = |connection: &Connection| {
        let row = connection.query_one("SELECT pg_backend_pid()", &[])?;
        Ok::<i32, Failure>(row.try_get(0)?)
    };
    let shares = || {
        let other = Connection::open(url)?;
        Ok::<_, Failure>(session(connection)? == session(&other)?)
    };
    match shares().map_err(engine("connect to PostgreSQL"))? {
        false => Ok(()),
        true => Err(StoreError::NotWritable {
            detail: "a pooler gives one session to several connections; set its pool_mode to \
                     session, or connect to the server itself"
                .to_owned(),
        }),
    }
}

/// Takes the lock of a replay; `None` if another one is running.
pub fn begin_replay(url: &PostgresUrl) -> Result<Option<Lock>, StoreError> {
    soon(url, "pg_try_advisory_lock", REPLAY)
}

/// Whether a process holds the ledger as its writer. It takes no lock.
pub fn is_served(url: &PostgresUrl) -> Result<bool, StoreError> {
    let held = || {
        let connection = Connection::open(url)?;
        let row = connection.query_one(
            "SELECT EXISTS (
               SELECT 1 FROM pg_locks
               WHERE locktype = 'advisory' AND granted AND objsubid = 2
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND classid = $1::bigint::oid AND objid = $2::bigint::oid)",
            &[&i64::from(LOCKS), &i64::from(WRITER)],
        )?;
        Ok(row.try_get(0)?)
    };
    held().map_err(engine("look for the process that writes"))
}

/// Takes a lock by a function of the server.
fn soon(url: &PostgresUrl, function: &str, number: i32) -> Result<Option<Lock>, StoreError> {
    let act = "lock the ledger";
    let connection = Connection::open(url).map_err(engine(act))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sql = format!("SELECT {function}($1, $2)");
        let row = connection.query_one(&sql, &[&LOCKS, &number]);
        if row.and_then(|row| Ok(row.try_get(0)?)).map_err(engine(act))? {
            return Ok(Some(Lock(connection)));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(BETWEEN_TRIES);
    }
}

/// A small value; `None` if it was never kept.
pub fn kept(connection: &Connection, value: KeptValue) -> Result<Option<Vec<u8>>, Failure> {
    let row = connection.query_opt("SELECT value FROM kept WHERE name = $1", &[&value.name()])?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Replaces a small value.
pub fn keep(connection: &Connection, value: KeptValue, bytes: &[u8]) -> Result<(), Failure> {
    let sql = "INSERT INTO kept(name, value) VALUES ($1, $2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(sql, &[&value.name(), &bytes]).map(|_rows| ())
}
