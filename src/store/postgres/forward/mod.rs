//! The store of forwarding in PostgreSQL: tables of the ledger's database.

mod rows;
mod step;

use std::collections::BTreeMap;

use tokio_postgres::Row;
use uuid::Uuid;

use self::rows::{select_target, select_unaccepted};
use crate::domain::{Position, Timestamp};
use crate::store::StoreError;
use crate::store::forward::{
    AnswerCount, ForwardStore, ReadTo, Step, TargetState, UnacceptedCounts, UnacceptedEvent, Which,
};
use crate::store::postgres::connect::connection::{Connection, Parameter};
use crate::store::postgres::connect::error::{Failure, engine};
use crate::store::postgres::connect::url::PostgresUrl;
use crate::store::postgres::migrate;

/// How long a process may stop in the middle of a transaction: a frozen one would keep its target locked.
const FROZEN_TIMEOUT: &str = "SET idle_in_transaction_session_timeout = '2s'";

/// The action in the error of a failed read.
const READ: &str = "read the state of forwarding";

/// An open store of forwarding.
pub struct PostgresForwardStore {
    connection: Connection,
    /// Up to which hour the old answers of each target were removed.
    removed_before: BTreeMap<String, i64>,
}

/// Why a transaction ends without a change.
enum Undone {
    Unwanted,
    Failed(Failure),
}

impl From<Failure> for Undone {
    fn from(failure: Failure) -> Self {
        Undone::Failed(failure)
    }
}

impl PostgresForwardStore {
    /// Opens the store of the ledger in this database, which is created if it does not exist.
    pub fn open_or_create(url: &PostgresUrl) -> Result<Self, StoreError> {
        let mut connection = open(url)?;
        migrate::forward(&mut connection, url)?;
        connection.batch_execute(FROZEN_TIMEOUT).map_err(engine(READ))?;
        Ok(Self { connection, removed_before: BTreeMap::new() })
    }

    /// Opens an existing store; `None` if it does not exist.
    pub fn open(url: &PostgresUrl) -> Result<Option<Self>, StoreError> {
        let connection = open(url)?;
        match migrate::has_forward(&connection).map_err(engine(READ))? {
            false => Ok(None),
            true => Self::open_or_create(url).map(Some),
        }
    }

    /// The same: what is in it is no evidence, so a reader may migrate it.
    pub fn open_for_reading(url: &PostgresUrl) -> Result<Option<Self>, StoreError> {
        Self::open(url)
    }

    /// Runs statements as one transaction. `None` rolls them back.
    fn write<T>(
        &mut self,
        act: &str,
        write: impl FnOnce(&Connection) -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, StoreError> {
        let connection = &self.connection;
        let written = connection.transaction("BEGIN", || {
            write(connection).map_err(Undone::Failed)?.ok_or(Undone::Unwanted)
        });
        match written {
            Ok(value) => Ok(Some(value)),
            Err(Undone::Unwanted) => Ok(None),
            Err(Undone::Failed(failure)) => Err(failure.during(act)),
        }
    }

    /// Changes the unaccepted events of a target, which gets another version. Returns the number of events;
    /// `None` if there is no such target.
    fn command(
        &mut self,
        act: &str,
        name: &str,
        change: impl FnOnce(&Connection) -> Result<u64, Failure>,
    ) -> Result<Option<u64>, StoreError> {
        self.write(act, |transaction| {
            let sql = "UPDATE targets SET version = version + 1 WHERE name = $1";
            match transaction.execute(sql, &[&name])? {
                0 => Ok(None),
                _ => change(transaction).map(Some),
            }
        })
    }

    fn rows<T>(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        read: fn(&Row) -> Result<T, Failure>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.connection.query(sql, parameters).map_err(engine(READ))?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(engine(READ))
    }
}

impl ForwardStore for PostgresForwardStore {
    fn targets(&self) -> Result<Vec<TargetState>, StoreError> {
        self.rows(select_target!("ORDER BY name"), &[], rows::target)
    }

    fn target(&self, name: &str) -> Result<Option<TargetState>, StoreError> {
        let sql = select_target!("WHERE name = $1");
        let row = self.connection.query_opt(sql, &[&name]).map_err(engine(READ))?;
        row.as_ref().map(rows::target).transpose().map_err(engine(READ))
    }

    fn create(&mut self, name: &str, ledger_id: Uuid, from: ReadTo) -> Result<(), StoreError> {
        let created = self.write("create a target of forwarding", |transaction| {
            let sql = "INSERT INTO targets(name, ledger_id, position, event_id)
                       VALUES ($1, $2, $3, $4)
                       ON CONFLICT(name) DO NOTHING";
            let position = from.position as i64;
            transaction.execute(sql, &[&name, &ledger_id, &position, &from.event_id]).map(Some)
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
                let sql = "DELETE FROM answers WHERE target = $1 AND hour < $2";
                transaction.execute(sql, &[&name, &oldest_hour])?;
            }
            Ok(Some(()))
        })?;
        if recorded.is_some() && !removed {
            self.removed_before.insert(name.to_owned(), oldest_hour);
        }
        Ok(recorded.is_some())
    }

    fn waiting(&self, name: &str) -> Result<Vec<UnacceptedEvent>, StoreError> {
        let sql = select_unaccepted!("WHERE target = $1 AND failed_at IS NULL ORDER BY position");
        self.rows(sql, &[&name], rows::unaccepted)
    }

    fn unaccepted(
        &self,
        name: &str,
        after: Position,
        limit: usize,
    ) -> Result<Vec<UnacceptedEvent>, StoreError> {
        let sql =
            select_unaccepted!("WHERE target = $1 AND position > $2 ORDER BY position LIMIT $3");
        self.rows(sql, &[&name, &in_sql(after), &(limit as i64)], rows::unaccepted)
    }

    fn counts(&self, name: &str) -> Result<UnacceptedCounts, StoreError> {
        let sql = "SELECT count(*) FILTER (WHERE failed_at IS NULL),
                          count(*) FILTER (WHERE failed_at IS NOT NULL),
                          min(position) FILTER (WHERE failed_at IS NULL)
                   FROM unaccepted
                   WHERE target = $1";
        let counts = || {
            let row = self.connection.query_one(sql, &[&name])?;
            let number = |column| Ok::<_, Failure>(row.try_get::<_, i64>(column)? as u64);
            let first_waiting: Option<i64> = row.try_get(2)?;
            Ok(UnacceptedCounts {
                waiting: number(0)?,
                failed: number(1)?,
                first_waiting: first_waiting.map(|position| position as Position),
            })
        };
        counts().map_err(engine(READ))
    }

    fn retry(&mut self, name: &str, which: Which, now: Timestamp) -> Result<u64, StoreError> {
        let retried = self.command("retry forwarding", name, |transaction| {
            // A failed event whose first attempt stayed would fail again at the next one.
            let sql = "UPDATE unaccepted
                       SET due_at = $4,
                           first_attempt_at = CASE WHEN failed_at IS NULL THEN first_attempt_at END,
                           failed_at = NULL
                       WHERE target = $1
                         AND ($2::bigint IS NULL OR position = $2)
                         AND (failed_at IS NOT NULL OR NOT $3)";
            let (position, only_failed) = in_sql_condition(which);
            transaction.execute(sql, &[&name, &position, &only_failed, &now.micros()])
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
                       SET due_at = $3, first_attempt_at = NULL, failed_at = NULL
                       WHERE target = $1 AND first_attempt_at >= $2";
            transaction.execute(sql, &[&name, &since.micros(), &now.micros()]).map(Some)
        });
        Ok(retried?.unwrap_or_default())
    }

    fn skip(&mut self, name: &str, which: Which) -> Result<u64, StoreError> {
        let skipped = self.command("skip events", name, |transaction| {
            let sql = "DELETE FROM unaccepted
                       WHERE target = $1
                         AND ($2::bigint IS NULL OR position = $2)
                         AND (failed_at IS NOT NULL OR NOT $3)";
            let (position, only_failed) = in_sql_condition(which);
            transaction.execute(sql, &[&name, &position, &only_failed])
        });
        skipped.map(Option::unwrap_or_default)
    }

    fn move_to(&mut self, name: &str, to: ReadTo) -> Result<Option<u64>, StoreError> {
        self.command("move a target of forwarding", name, |transaction| {
            let sql = "UPDATE targets SET position = $2, event_id = $3 WHERE name = $1";
            let position = to.position as i64;
            transaction.execute(sql, &[&name, &position, &to.event_id])?;
            let sql = "DELETE FROM unaccepted
                       WHERE target = $1 AND (position > $2 OR failed_at IS NULL)";
            transaction.execute(sql, &[&name, &position])
        })
    }

    fn cut_off(&mut self, name: &str, end: ReadTo) -> Result<u64, StoreError> {
        let cut_off = self.write("move a target of forwarding", |transaction| {
            let sql = "UPDATE targets
                       SET position = $2, event_id = $3, version = version + 1
                       WHERE name = $1 AND position > $2";
            let position = end.position as i64;
            if transaction.execute(sql, &[&name, &position, &end.event_id])? == 0 {
                return Ok(None);
            }
            let sql = "DELETE FROM unaccepted WHERE target = $1 AND position > $2";
            transaction.execute(sql, &[&name, &position]).map(Some)
        });
        Ok(cut_off?.unwrap_or_default())
    }

    fn remove(&mut self, name: &str) -> Result<bool, StoreError> {
        let removed = self.write("remove a target of forwarding", |transaction| {
            transaction.execute("DELETE FROM targets WHERE name = $1", &[&name]).map(Some)
        })?;
        self.removed_before.remove(name);
        Ok(removed == Some(1))
    }

    fn answers(&self, name: &str, since_hour: i64) -> Result<Vec<AnswerCount>, StoreError> {
        let sql =
            "SELECT max(hour), answer, status, sum(attempts)::bigint AS times, max(last_position)
                   FROM answers
                   WHERE target = $1 AND hour >= $2
                   GROUP BY answer, status
                   ORDER BY times DESC, answer, status";
        self.rows(sql, &[&name, &since_hour], rows::answer_count)
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

/// A position that need not exist, as an integer of the database.
fn in_sql(position: Position) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// A connection whose commits do not wait for the disk, as the promise of the store allows.
fn open(url: &PostgresUrl) -> Result<Connection, StoreError> {
    let connection = Connection::open(url).map_err(engine(READ))?;
    connection.batch_execute("SET synchronous_commit = off").map_err(engine(READ))?;
    Ok(connection)
}
