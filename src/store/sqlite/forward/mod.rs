//! The store of forwarding in SQLite: `ledger.forward.db`.

mod rows;
mod step;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::params;
use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction, TransactionBehavior};
use uuid::Uuid;

use self::rows::{select_target, select_unaccepted};
use crate::domain::{Position, Timestamp};
use crate::store::StoreError;
use crate::store::forward::{
    AnswerCount, ForwardStore, ReadTo, Step, TargetState, UnacceptedCounts, UnacceptedEvent, Which,
};
use crate::store::sqlite::engine;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::files::identity::FileIdentity;
use crate::store::sqlite::files::paths;
use crate::store::sqlite::files::paths::sibling;
use crate::store::sqlite::migrate;

/// The action in the error of a failed read.
const READ: &str = "read the state of forwarding";

/// An open store of forwarding.
pub struct SqliteForwardStore {
    connection: Connection,
    files: FileIdentity,
    /// Up to which hour the old answers of each target were removed.
    removed_before: BTreeMap<String, i64>,
}

/// `ledger.db` has its store of forwarding in `ledger.forward.db`.
fn path_of(log: &Path) -> PathBuf {
    sibling(log, "forward")
}

impl SqliteForwardStore {
    /// Opens the store of the log at this path, which is created if it does not exist.
    pub fn open_or_create(log: &Path) -> Result<Self, StoreError> {
        let path = path_of(log);
        connect::make_file(&path)?;
        Self::open_at(&path)
    }

    /// Opens an existing store; `None` if it does not exist.
    pub fn open(log: &Path) -> Result<Option<Self>, StoreError> {
        let path = path_of(log);
        path.exists().then(|| Self::open_at(&path)).transpose()
    }

    /// Opens it read-only; `None` if it does not exist or has never been written.
    pub fn open_for_reading(log: &Path) -> Result<Option<Self>, StoreError> {
        let path = path_of(log);
        if paths::bytes_in(&path) == 0 {
            return Ok(None);
        }
        let connection = connect::for_reading(&path)?;
        if migrate::forward_is_older(&connection, &path)? {
            // A reader cannot read the old schema, and nothing in it is evidence, so it is migrated.
            drop(connection);
            return Self::open_at(&path).map(Some);
        }
        Ok(Some(Self::new(connection, &path)))
    }

    fn open_at(path: &Path) -> Result<Self, StoreError> {
        paths::refuse_other_names(path)?;
        migrate::refuse_newer_forward_untouched(path)?;
        let connection = connect::beside_others(|| {
            let mut connection = connect::forward_for_writing(path)?;
            migrate::forward(&mut connection, path)?;
            Ok(connection)
        })?;
        Ok(Self::new(connection, path))
    }

    fn new(connection: Connection, path: &Path) -> Self {
        let files = FileIdentity::new(path);
        Self { connection, files, removed_before: BTreeMap::new() }
    }

    /// Runs statements as one transaction. `None` rolls them back.
    fn write<T>(
        &mut self,
        act: &str,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Option<T>>,
    ) -> Result<Option<T>, StoreError> {
        self.files.check()?;
        let begun = Transaction::new(&mut self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(engine(act))?;
        let written = write(&transaction).map_err(engine(act))?;
        if written.is_some() {
            transaction.commit().map_err(engine(act))?;
        }
        Ok(written)
    }

    /// Changes the unaccepted events of a target, which gets another version. Returns the number of events;
    /// `None` if there is no such target.
    fn command(
        &mut self,
        act: &str,
        name: &str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<u64>,
    ) -> Result<Option<u64>, StoreError> {
        self.write(act, |transaction| {
            let sql = "UPDATE targets SET version = version + 1 WHERE name = ?1";
            match transaction.prepare_cached(sql)?.execute([name])? {
                0 => Ok(None),
                _ => change(transaction).map(Some),
            }
        })
    }

    fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(engine(READ))?;
        let rows = statement.query_map(parameters, read).map_err(engine(READ))?;
        rows.collect::<rusqlite::Result<_>>().map_err(engine(READ))
    }
}

impl ForwardStore for SqliteForwardStore {
    fn targets(&self) -> Result<Vec<TargetState>, StoreError> {
        self.rows(select_target!("ORDER BY name"), [], rows::target)
    }

    fn target(&self, name: &str) -> Result<Option<TargetState>, StoreError> {
        let sql = select_target!("WHERE name = ?1");
        let mut statement = self.connection.prepare_cached(sql).map_err(engine(READ))?;
        statement.query_row([name], rows::target).optional().map_err(engine(READ))
    }

    fn create(&mut self, name: &str, ledger_id: Uuid, from: ReadTo) -> Result<(), StoreError> {
        let created = self.write("create a target of forwarding", |transaction| {
            let sql = "INSERT INTO targets(name, ledger_id, position, event_id)
                       VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT(name) DO NOTHING";
            let event_id = from.event_id.as_ref().map(Uuid::as_bytes);
            let row = params![name, ledger_id.as_bytes(), from.position, event_id];
            transaction.execute(sql, row).map(Some)
        });
        created.map(|_rows| ())
    }

    fn take_over(&mut self, name: &str) -> Result<(), StoreError> {
        self.command("begin to follow a target", name, |_| Ok(0)).map(drop)
    }

    fn record(
        &mut self,
        name: &str,
        version: u64,
        step: &Step,
        oldest_hour: i64,
    ) -> Result<bool, StoreError> {
        let removed = self.removed_before.get(name).is_some_and(|before| *before >= oldest_hour);
        let recorded = self.write("record what was forwarded", |transaction| {
            if !step::write(transaction, name, version, step)? {
                return Ok(None);
            }
            if !removed {
                let sql = "DELETE FROM answers WHERE target = ?1 AND hour < ?2";
                transaction.prepare_cached(sql)?.execute(params![name, oldest_hour])?;
            }
            Ok(Some(()))
        })?;
        if recorded.is_some() && !removed {
            self.removed_before.insert(name.to_owned(), oldest_hour);
        }
        Ok(recorded.is_some())
    }

    fn waiting(&self, name: &str) -> Result<Vec<UnacceptedEvent>, StoreError> {
        let sql = select_unaccepted!("WHERE target = ?1 AND failed_at IS NULL ORDER BY position");
        self.rows(sql, [name], rows::unaccepted)
    }

    fn unaccepted(
        &self,
        name: &str,
        after: Position,
        limit: usize,
    ) -> Result<Vec<UnacceptedEvent>, StoreError> {
        let sql =
            select_unaccepted!("WHERE target = ?1 AND position > ?2 ORDER BY position LIMIT ?3");
        self.rows(sql, params![name, in_sql(after), limit], rows::unaccepted)
    }

    fn counts(&self, name: &str) -> Result<UnacceptedCounts, StoreError> {
        let sql = "SELECT count(*) FILTER (WHERE failed_at IS NULL),
                          count(*) FILTER (WHERE failed_at IS NOT NULL),
                          min(position) FILTER (WHERE failed_at IS NULL)
                   FROM unaccepted
                   WHERE target = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(engine(READ))?;
        let counts = statement.query_row([name], |row| {
            Ok(UnacceptedCounts {
                waiting: row.get(0)?,
                failed: row.get(1)?,
                first_waiting: row.get(2)?,
            })
        });
        counts.map_err(engine(READ))
    }

    fn retry(&mut self, name: &str, which: Which, now: Timestamp) -> Result<u64, StoreError> {
        let retried = self.command("retry forwarding", name, |transaction| {
            // A failed event whose first attempt stayed would fail again at the next one.
            let sql = "UPDATE unaccepted
                       SET due_at = ?4,
                           first_attempt_at = iif(failed_at IS NULL, first_attempt_at, NULL),
                           failed_at = NULL
                       WHERE target = ?1
                         AND (?2 IS NULL OR position = ?2)
                         AND (failed_at IS NOT NULL OR NOT ?3)";
            let (position, only_failed) = in_sql_condition(which);
            let row = params![name, position, only_failed, now.micros()];
            transaction.execute(sql, row).map(|rows| rows as u64)
        });
        retried.map(Option::unwrap_or_default)
    }

    fn retry_since(
        &mut self,
        name: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let retried = self.write("retry forwarding", |transaction| {
            let sql = "UPDATE unaccepted
                       SET due_at = ?3, first_attempt_at = NULL, failed_at = NULL
                       WHERE target = ?1 AND first_attempt_at >= ?2";
            let row = params![name, since.micros(), now.micros()];
            transaction.prepare_cached(sql)?.execute(row).map(Some)
        });
        Ok(retried?.unwrap_or_default() as u64)
    }

    fn skip(&mut self, name: &str, which: Which) -> Result<u64, StoreError> {
        let skipped = self.command("skip events", name, |transaction| {
            let sql = "DELETE FROM unaccepted
                       WHERE target = ?1
                         AND (?2 IS NULL OR position = ?2)
                         AND (failed_at IS NOT NULL OR NOT ?3)";
            let (position, only_failed) = in_sql_condition(which);
            let row = params![name, position, only_failed];
            transaction.execute(sql, row).map(|rows| rows as u64)
        });
        skipped.map(Option::unwrap_or_default)
    }

    fn move_to(&mut self, name: &str, to: ReadTo) -> Result<Option<u64>, StoreError> {
        self.command("move a target of forwarding", name, |transaction| {
            let sql = "UPDATE targets SET position = ?2, event_id = ?3 WHERE name = ?1";
            let event_id = to.event_id.as_ref().map(Uuid::as_bytes);
            transaction.execute(sql, params![name, to.position, event_id])?;
            let sql = "DELETE FROM unaccepted
                       WHERE target = ?1 AND (position > ?2 OR failed_at IS NULL)";
            transaction.execute(sql, params![name, to.position]).map(|rows| rows as u64)
        })
    }

    fn cut_off(&mut self, name: &str, end: ReadTo) -> Result<u64, StoreError> {
        let cut_off = self.write("move a target of forwarding", |transaction| {
            let sql = "UPDATE targets
                       SET position = ?2, event_id = ?3, version = version + 1
                       WHERE name = ?1 AND position > ?2";
            let event_id = end.event_id.as_ref().map(Uuid::as_bytes);
            if transaction.execute(sql, params![name, end.position, event_id])? == 0 {
                return Ok(None);
            }
            let sql = "DELETE FROM unaccepted WHERE target = ?1 AND position > ?2";
            transaction.execute(sql, params![name, end.position]).map(Some)
        });
        Ok(cut_off?.unwrap_or_default() as u64)
    }

    fn remove(&mut self, name: &str) -> Result<bool, StoreError> {
        let removed = self.write("remove a target of forwarding", |transaction| {
            transaction.execute("DELETE FROM targets WHERE name = ?1", [name]).map(Some)
        })?;
        self.removed_before.remove(name);
        Ok(removed == Some(1))
    }

    fn answers(&self, name: &str, since_hour: i64) -> Result<Vec<AnswerCount>, StoreError> {
        let sql = "SELECT max(hour), answer, status, sum(attempts) AS times, max(last_position)
                   FROM answers
                   WHERE target = ?1 AND hour >= ?2
                   GROUP BY answer, status
                   ORDER BY times DESC, answer, status";
        self.rows(sql, params![name, since_hour], rows::answer_count)
    }
}

/// The position, and whether only failed events are meant.
fn in_sql_condition(which: Which) -> (Option<i64>, bool) {
    match which {
        Which::At(position) => (Some(in_sql(position)), false),
        Which::Failed => (None, true),
        Which::All => (None, false),
    }
}

/// A position that need not exist, as an integer of SQLite.
fn in_sql(position: Position) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
