//! The quarantine in PostgreSQL: a table of the ledger's database, in order of arrival.

use tokio_postgres::Row;
use uuid::Uuid;

use crate::domain::{Position, Timestamp};
use crate::store::StoreError;
use crate::store::codec::headers;
use crate::store::postgres::connect::connection::{Connection, Parameter};
use crate::store::postgres::connect::error::{Failure, engine};
use crate::store::postgres::connect::url::PostgresUrl;
use crate::store::postgres::migrate;
use crate::store::quarantine::{Limits, Quarantine, QuarantineSize, QuarantinedRequest, Rank};

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
pub struct PostgresQuarantine {
    connection: Connection,
}

impl PostgresQuarantine {
    /// Opens the quarantine of the ledger in this database, which is created if it does not exist.
    pub fn open_or_create(url: &PostgresUrl) -> Result<Self, StoreError> {
        let mut connection = open(url)?;
        migrate::quarantine(&mut connection, url)?;
        Ok(Self { connection })
    }

    /// Opens an existing quarantine; `None` if it does not exist.
    pub fn open(url: &PostgresUrl) -> Result<Option<Self>, StoreError> {
        let mut connection = open(url)?;
        if !migrate::has_quarantine(&connection).map_err(engine("look for the quarantine"))? {
            return Ok(None);
        }
        migrate::quarantine(&mut connection, url)?;
        Ok(Some(Self { connection }))
    }

    /// The same: what is in it is no evidence, so a reader may migrate it.
    pub fn open_for_reading(url: &PostgresUrl) -> Result<Option<Self>, StoreError> {
        Self::open(url)
    }

    fn write<T>(
        &mut self,
        act: &str,
        write: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let connection = &self.connection;
        connection.transaction("BEGIN", || write(connection)).map_err(engine(act))
    }

    fn page(
        &self,
        sql: &str,
        from: i64,
        limit: usize,
    ) -> Result<Vec<(u64, QuarantinedRequest)>, StoreError> {
        let act = "read the quarantine";
        let limit = limit as i64;
        let rows = self.connection.query(sql, &[&from, &limit]).map_err(engine(act))?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        for row in &rows {
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

impl Quarantine for PostgresQuarantine {
    fn keep(
        &mut self,
        requests: &[QuarantinedRequest],
        limits: &Limits,
    ) -> Result<QuarantineSize, StoreError> {
        self.write("keep a refused request", |connection| {
            for request in requests {
                insert(connection, request)?;
            }
            loop {
                let size = size(connection)?;
                let surplus = match size.requests.checked_sub(limits.requests) {
                    Some(surplus) if surplus > 0 => surplus,
                    // One by one, so that no more are evicted than necessary.
                    _ if size.bytes > limits.bytes => 1,
                    _ => return Ok(size),
                };
                if evict(connection, surplus)? == 0 {
                    return Ok(size);
                }
            }
        })
    }

    fn size(&self) -> Result<QuarantineSize, StoreError> {
        size(&self.connection).map_err(engine("count the quarantine"))
    }

    fn check_files_unmoved(&self) -> Result<(), StoreError> {
        match self.connection.is_closed() {
            false => Ok(()),
            true => Err(StoreError::NeedsReopen),
        }
    }

    fn disk_free(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    fn oldest(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, QuarantinedRequest)>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.page(select!("WHERE number > $1 ORDER BY number LIMIT $2"), after, limit)
    }

    fn newest(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, QuarantinedRequest)>, StoreError> {
        let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
        self.page(select!("WHERE number < $1 ORDER BY number DESC LIMIT $2"), before, limit)
    }

    fn paths(&self, reason: &str, limit: usize) -> Result<Vec<(String, u64)>, StoreError> {
        let read = || {
            let rows = self.connection.query(
                "SELECT substr(target, 1, position('\\x3f'::bytea IN target || '\\x3f'::bytea) - 1) AS path,
                        count(*) AS times
                 FROM requests
                 WHERE reason = $1
                 GROUP BY path
                 ORDER BY times DESC, path
                 LIMIT $2",
                &[&reason, &(limit as i64)],
            )?;
            let path = |row: &Row| Ok((text(row, 0)?, row.try_get::<_, i64>(1)? as u64));
            rows.iter().map(path).collect::<Result<_, Failure>>()
        };
        read().map_err(engine("read the quarantine"))
    }

    fn find(&self, id: Uuid) -> Result<Option<QuarantinedRequest>, StoreError> {
        let act = "read the quarantine";
        let row =
            self.connection.query_opt(select!("WHERE id = $1"), &[&id]).map_err(engine(act))?;
        let found = row.as_ref().map(row_to_request).transpose().map_err(engine(act))?;
        Ok(found.map(|(_, request)| request))
    }

    fn mark(&mut self, ids: &[Uuid], after: Position) -> Result<(), StoreError> {
        self.write("mark a refused request", |connection| {
            // It has to survive every crash that the append survives.
            connection.batch_execute("SET LOCAL synchronous_commit = on")?;
            let sql = "UPDATE requests SET append_after = $2 WHERE id = ANY($1)";
            connection.execute(sql, &[&ids, &(after as i64)]).map(|_rows| ())
        })
    }

    fn marked(&self) -> Result<Vec<(Uuid, Position)>, StoreError> {
        let read = || {
            let rows = self.connection.query(
                "SELECT id, append_after
                 FROM requests
                 WHERE append_after IS NOT NULL",
                &[],
            )?;
            let marked = |row: &Row| Ok((row.try_get(0)?, row.try_get::<_, i64>(1)? as Position));
            rows.iter().map(marked).collect::<Result<_, Failure>>()
        };
        read().map_err(engine("read the quarantine"))
    }

    fn remove(&mut self, ids: &[Uuid]) -> Result<u64, StoreError> {
        self.write("remove a refused request", |connection| {
            connection.execute("DELETE FROM requests WHERE id = ANY($1)", &[&ids])
        })
    }

    fn erase(&mut self, ids: &[Uuid]) -> Result<u64, StoreError> {
        self.remove(ids)
    }

    fn purge(&mut self, before: Option<Timestamp>) -> Result<u64, StoreError> {
        let before = before.map_or(i64::MAX, Timestamp::micros);
        let mut purged = 0;
        loop {
            let step = self.write("purge the quarantine", |connection| {
                let sql = "DELETE FROM requests
                           WHERE number = ANY(ARRAY(SELECT number FROM requests
                                                    WHERE received_at < $1
                                                    ORDER BY number
                                                    LIMIT $2))";
                connection.execute(sql, &[&before, &(PURGE_STEP as i64)])
            })?;
            purged += step;
            if step < PURGE_STEP {
                break;
            }
        }
        self.connection
            .batch_execute_patiently("VACUUM requests")
            .map_err(engine("purge the quarantine"))?;
        Ok(purged)
    }
}

/// A connection whose commits do not wait for the disk: nothing in the quarantine is evidence.
fn open(url: &PostgresUrl) -> Result<Connection, StoreError> {
    let act = "open the quarantine";
    let connection = Connection::open(url).map_err(engine(act))?;
    connection.batch_execute("SET synchronous_commit = off").map_err(engine(act))?;
    Ok(connection)
}

fn insert(connection: &Connection, request: &QuarantinedRequest) -> Result<(), Failure> {
    let headers = headers::pack(&request.headers);
    let (received_at, rank) = (request.received_at.micros(), request.rank as i16);
    let (method, target) = (request.method.as_bytes(), request.target.as_bytes());
    let cause = request.cause.as_ref().map(String::as_bytes);
    let row: [Parameter<'_>; 10] = [
        &request.id,
        &received_at,
        &method,
        &target,
        &headers,
        &request.body,
        &request.reason,
        &cause,
        &rank,
        &request.whole,
    ];
    let sql = "INSERT INTO requests(id, received_at, method, target, headers, body, reason, cause,
                                    rank, whole)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    connection.execute(sql, &row).map(|_rows| ())
}

/// The current size.
fn size(connection: &Connection) -> Result<QuarantineSize, Failure> {
    let sql = "SELECT requests, recognised, bytes FROM quarantine_size";
    let row = connection.query_one(sql, &[])?;
    let number = |column| Ok::<_, Failure>(row.try_get::<_, i64>(column)?.max(0) as u64);
    Ok(QuarantineSize { requests: number(0)?, recognised: number(1)?, bytes: number(2)? })
}

/// Removes requests, those of the lowest rank first. Another process may be removing some of them.
fn evict(connection: &Connection, count: u64) -> Result<u64, Failure> {
    // An array is made once; the rows of IN might be looked for, and locked, again for each request.
    let sql = "DELETE FROM requests
               WHERE number = ANY(ARRAY(SELECT number FROM requests
                                        ORDER BY rank, number
                                        LIMIT $1
                                        FOR UPDATE SKIP LOCKED))";
    connection.execute(sql, &[&(count as i64)])
}

fn row_to_request(row: &Row) -> Result<(u64, QuarantinedRequest), Failure> {
    let cause: Option<&[u8]> = row.try_get(8)?;
    let cause = cause.map(|cause| String::from_utf8_lossy(cause).into_owned());
    let request = QuarantinedRequest {
        id: row.try_get(1)?,
        received_at: Timestamp::from_micros(row.try_get(2)?),
        method: text(row, 3)?,
        target: text(row, 4)?,
        headers: headers::unpack(row.try_get(5)?)
            .map_err(|_| Failure::NotA("a list of headers"))?,
        body: row.try_get(6)?,
        reason: row.try_get(7)?,
        cause,
        rank: rank(row.try_get(9)?),
        whole: row.try_get(10)?,
    };
    Ok((row.try_get::<_, i64>(0)? as u64, request))
}

fn text(row: &Row, column: usize) -> Result<String, Failure> {
    String::from_utf8(row.try_get(column)?).map_err(|_| Failure::NotA("a text"))
}

/// An unknown rank, which a newer version may have stored, counts as the highest.
fn rank(stored: i16) -> Rank {
    let stored = usize::try_from(stored).ok();
    stored.and_then(|stored| Rank::ALL.get(stored).copied()).unwrap_or(Rank::Recognised)
}
