//! The quarantine in SQLite: `ledger.quarantine.db`, in order of arrival.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use crate::domain::{Position, Timestamp};
use crate::store::StoreError;
use crate::store::codec::headers;
use crate::store::quarantine::{Limits, Quarantine, QuarantineSize, QuarantinedRequest, Rank};
use crate::store::sqlite::engine;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::files::identity::FileIdentity;
use crate::store::sqlite::files::paths;
use crate::store::sqlite::files::paths::sibling;
use crate::store::sqlite::migrate;
use crate::store::sqlite::query_value;

/// Maximum rows that one transaction of a purge removes, so that other processes can write in between.
const PURGE_STEP: u64 = 1000;

/// Maximum bytes of bodies in a page, not counting its last request.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// The columns of a request, as [`row_to_request`] reads them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT number, id, received_at, method, target, headers, body, reason, cause, \
             rank, whole \
             FROM requests ",
            $rest
        )
    };
}

/// An open quarantine.
pub struct SqliteQuarantine {
    path: PathBuf,
    connection: Connection,
    files: FileIdentity,
}

/// `ledger.db` has its quarantine in `ledger.quarantine.db`.
pub fn path_of(log: &Path) -> PathBuf {
    sibling(log, "quarantine")
}

impl SqliteQuarantine {
    /// Opens the quarantine of the log at this path, which is created if it does not exist.
    pub fn open_or_create(log: &Path) -> Result<Self, StoreError> {
        let path = path_of(log);
        connect::make_file(&path)?;
        paths::refuse_other_names(&path)?;
        Self::open_at(path)
    }

    /// Opens an existing quarantine; `None` if it does not exist.
    pub fn open(log: &Path) -> Result<Option<Self>, StoreError> {
        let path = path_of(log);
        path.exists().then(|| Self::open_at(path)).transpose()
    }

    /// Opens it read-only; `None` if it does not exist or has never been written.
    pub fn open_for_reading(log: &Path) -> Result<Option<Self>, StoreError> {
        let path = path_of(log);
        if path.metadata().map_or(0, |metadata| metadata.len()) == 0 {
            return Ok(None);
        }
        let connection = connect::for_reading(&path)?;
        if migrate::quarantine_is_older(&connection, &path)? {
            // A reader cannot read the old schema, and nothing in it is evidence, so it is migrated.
            drop(connection);
            return Self::open_at(path).map(Some);
        }
        let files = FileIdentity::new(&path);
        Ok(Some(Self { path, connection, files }))
    }

    fn open_at(path: PathBuf) -> Result<Self, StoreError> {
        let connection = connect::beside_others(|| {
            let mut connection = connect::quarantine_for_writing(&path)?;
            migrate::quarantine(&mut connection, &path)?;
            Ok(connection)
        })?;
        let files = FileIdentity::new(&path);
        Ok(Self { path, connection, files })
    }

    fn write<T>(
        &mut self,
        act: &str,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let begun = Transaction::new(&mut self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(engine(act))?;
        let written = write(&transaction).map_err(engine(act))?;
        transaction.commit().map_err(engine(act))?;
        Ok(written)
    }

    fn page(
        &self,
        sql: &str,
        from: i64,
        limit: usize,
    ) -> Result<Vec<(u64, QuarantinedRequest)>, StoreError> {
        let act = "read the quarantine";
        let mut statement = self.connection.prepare_cached(sql).map_err(engine(act))?;
        let mut rows = statement.query(params![from, limit]).map_err(engine(act))?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(engine(act))? {
            let (number, request) = row_to_request(row).map_err(engine(act))?;
            bytes += request.body.len();
            page.push((number, request));
            if bytes > PAGE_BYTES_MAX {
                break;
            }
        }
        Ok(page)
    }
}

impl Quarantine for SqliteQuarantine {
    fn keep(
        &mut self,
        requests: &[QuarantinedRequest],
        limits: &Limits,
    ) -> Result<QuarantineSize, StoreError> {
        self.write("keep a refused request", |transaction| {
            for request in requests {
                insert(transaction, request)?;
            }
            loop {
                let size = size(transaction)?;
                let surplus = match size.requests.checked_sub(limits.requests) {
                    Some(surplus) if surplus > 0 => surplus,
                    // One by one, so that no more are evicted than necessary.
                    _ if size.bytes > limits.bytes => 1,
                    _ => return Ok(size),
                };
                if evict(transaction, surplus)? == 0 {
                    return Ok(size);
                }
            }
        })
    }

    fn size(&self) -> Result<QuarantineSize, StoreError> {
        size(&self.connection).map_err(engine("count the quarantine"))
    }

    fn check_files_unmoved(&self) -> Result<(), StoreError> {
        self.files.check()
    }

    fn disk_free(&self) -> Result<Option<u64>, StoreError> {
        paths::disk_free(&self.path).map(Some)
    }

    fn oldest(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, QuarantinedRequest)>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.page(select!("WHERE number > ?1 ORDER BY number LIMIT ?2"), after, limit)
    }

    fn newest(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, QuarantinedRequest)>, StoreError> {
        let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
        self.page(select!("WHERE number < ?1 ORDER BY number DESC LIMIT ?2"), before, limit)
    }

    fn paths(&self, reason: &str, limit: usize) -> Result<Vec<(String, u64)>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT substr(target, 1, instr(target || '?', '?') - 1) AS path, count(*) AS times
                 FROM requests
                 WHERE reason = ?1
                 GROUP BY path
                 ORDER BY times DESC, path
                 LIMIT ?2",
            )?;
            let rows = statement
                .query_map(params![reason, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(engine("read the quarantine"))
    }

    fn find(&self, id: Uuid) -> Result<Option<QuarantinedRequest>, StoreError> {
        let sql = select!("WHERE id = ?1");
        let found = self.connection.query_row(sql, [id.as_bytes()], row_to_request).optional();
        Ok(found.map_err(engine("read the quarantine"))?.map(|(_, request)| request))
    }

    fn mark(&mut self, ids: &[Uuid], after: Position) -> Result<(), StoreError> {
        // It has to survive every power cut that the append survives.
        let act = "mark a refused request";
        self.connection.pragma_update(None, "synchronous", 2).map_err(engine(act))?;
        let marked = self.write(act, |transaction| {
            let sql = "UPDATE requests SET append_after = ?2 WHERE id = ?1";
            let mut statement = transaction.prepare_cached(sql)?;
            ids.iter()
                .try_for_each(|id| statement.execute(params![id.as_bytes(), after]).map(|_rows| ()))
        });
        self.connection.pragma_update(None, "synchronous", 1).map_err(engine(act))?;
        marked
    }

    fn marked(&self) -> Result<Vec<(Uuid, Position)>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT id, append_after
                 FROM requests
                 WHERE append_after IS NOT NULL",
            )?;
            let rows = statement.query_map([], |row| {
                let id: Vec<u8> = row.get(0)?;
                let id = Uuid::from_slice(&id).map_err(|_| damaged(0, "an id is no UUID"))?;
                Ok((id, row.get(1)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(engine("read the quarantine"))
    }

    fn remove(&mut self, ids: &[Uuid]) -> Result<u64, StoreError> {
        self.write("remove a refused request", |transaction| {
            let sql = "DELETE FROM requests WHERE id = ?1";
            let mut statement = transaction.prepare_cached(sql)?;
            let mut removed = 0;
            for id in ids {
                removed += statement.execute([id.as_bytes()])? as u64;
            }
            Ok(removed)
        })
    }

    fn erase(&mut self, ids: &[Uuid]) -> Result<u64, StoreError> {
        let removed = self.remove(ids)?;
        // It writes the file anew. Until then its free pages have what was evicted, too.
        let rewritten = self.connection.execute_batch("VACUUM");
        rewritten.map_err(engine("overwrite what was removed from the quarantine"))?;
        let busy: i64 = query_value(&self.connection, "PRAGMA wal_checkpoint(TRUNCATE)")
            .map_err(engine("empty the quarantine's write-ahead log"))?;
        if busy == 0 { Ok(removed) } else { Err(StoreError::Busy) }
    }

    fn purge(&mut self, before: Option<Timestamp>) -> Result<u64, StoreError> {
        let before = before.map_or(i64::MAX, Timestamp::micros);
        let mut purged = 0;
        loop {
            let step = self.write("purge the quarantine", |transaction| {
                let sql = "DELETE FROM requests
                           WHERE number IN (SELECT number FROM requests
                                            WHERE received_at < ?1
                                            ORDER BY number
                                            LIMIT ?2)";
                transaction.prepare_cached(sql)?.execute(params![before, PURGE_STEP])
            })? as u64;
            purged += step;
            if step < PURGE_STEP {
                break;
            }
        }
        give_back(&self.connection).map_err(engine("purge the quarantine"))?;
        Ok(purged)
    }
}

fn insert(transaction: &Transaction<'_>, request: &QuarantinedRequest) -> rusqlite::Result<()> {
    let headers = headers::pack(&request.headers);
    transaction
        .prepare_cached(
            "INSERT INTO requests(id, received_at, method, target, headers, body, reason, cause,
                                  rank, whole)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            request.id.as_bytes(),
            request.received_at.micros(),
            request.method,
            request.target,
            headers,
            request.body,
            request.reason,
            request.cause,
            request.rank as i64,
            request.whole,
        ])?;
    Ok(())
}

/// The current size.
fn size(connection: &Connection) -> rusqlite::Result<QuarantineSize> {
    let requests = query_value(connection, "SELECT requests FROM kept")?;
    let recognised = query_value(connection, "SELECT recognised FROM kept")?;
    let pages: u64 = query_value(connection, "PRAGMA page_count")?;
    let free: u64 = query_value(connection, "PRAGMA freelist_count")?;
    let page_bytes: u64 = query_value(connection, "PRAGMA page_size")?;
    Ok(QuarantineSize { requests, recognised, bytes: pages.saturating_sub(free) * page_bytes })
}

/// Removes requests, those of the lowest rank first; the next ones fill the pages they leave.
fn evict(transaction: &Transaction<'_>, count: u64) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM requests
               WHERE number IN (SELECT number FROM requests ORDER BY rank, number LIMIT ?1)";
    transaction.prepare_cached(sql)?.execute([count])
}

/// Truncates the free pages of the file, and the WAL, which still has their content.
fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    // A reader may prevent that; then the next process that closes the file empties it.
    let _busy: i64 = query_value(connection, "PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

fn row_to_request(row: &Row<'_>) -> rusqlite::Result<(u64, QuarantinedRequest)> {
    let id: Vec<u8> = row.get(1)?;
    let headers: Vec<u8> = row.get(5)?;
    let request = QuarantinedRequest {
        id: Uuid::from_slice(&id).map_err(|_| damaged(1, "an id is no UUID"))?,
        received_at: Timestamp::from_micros(row.get(2)?),
        method: row.get(3)?,
        target: row.get(4)?,
        headers: headers::unpack(&headers).map_err(|detail| damaged(5, &detail))?,
        body: row.get(6)?,
        reason: row.get(7)?,
        cause: row.get(8)?,
        rank: rank(row.get(9)?),
        whole: row.get(10)?,
    };
    Ok((row.get(0)?, request))
}

/// An unknown rank, which a newer version may have stored, counts as the highest.
fn rank(stored: usize) -> Rank {
    Rank::ALL.get(stored).copied().unwrap_or(Rank::Recognised)
}

fn damaged(column: usize, detail: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        rusqlite::types::Type::Blob,
        detail.to_owned().into(),
    )
}
