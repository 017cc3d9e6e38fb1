//! The records of seals in a log.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::store::StoreError;
use crate::store::seals::{NewSealRecord, SealQuery, SealRecord, record};
use crate::store::sqlite::{engine, query_value};

/// Adds records, all or none, and returns once they are on disk.
pub fn add(connection: &mut Connection, records: &[NewSealRecord]) -> Result<(), StoreError> {
    let failed = || engine("record a seal");
    let transaction =
        Transaction::new(connection, TransactionBehavior::Immediate).map_err(failed())?;
    insert(&transaction, records).map_err(failed())?;
    // Returns after the fsync: `synchronous` is FULL, see `files::connect`.
    transaction.commit().map_err(failed())
}

/// Adds records within a transaction.
pub fn insert(connection: &Connection, records: &[NewSealRecord]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO seal_records(number, kind, size, recorded_at, content)
         SELECT coalesce(max(number), 0) + 1, ?1, ?2, ?3, ?4 FROM seal_records",
    )?;
    for NewSealRecord { kind, size, recorded_at, content } in records {
        insert.execute(params![kind.name(), size, recorded_at.micros(), content])?;
    }
    Ok(())
}

/// Reads records. A log of an earlier version, which is open for reading only, has none.
pub fn read(connection: &Connection, query: &SealQuery) -> Result<Vec<SealRecord>, StoreError> {
    let failed = || engine("read the records of seals");
    let exists = "SELECT count(*) FROM sqlite_master WHERE name = 'seal_records'";
    if query_value::<i64>(connection, exists).map_err(failed())? == 0 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT number, kind, size, recorded_at, content
         FROM seal_records
         WHERE kind = ?1 AND size BETWEEN ?2 AND ?3
         ORDER BY {}
         LIMIT ?4",
        query.order()
    );
    let [first, last, limit] = query.bounds();
    let mut statement = connection.prepare_cached(&sql).map_err(failed())?;
    let mut rows =
        statement.query(params![query.kind.name(), first, last, limit]).map_err(failed())?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(failed())? {
        let columns = || {
            let kind: String = row.get(1)?;
            Ok((row.get(0)?, kind, (row.get(2)?, row.get(3)?), row.get(4)?))
        };
        let (number, kind, sizes, content) = columns().map_err(failed())?;
        records.push(record(number, &kind, sizes, content)?);
    }
    Ok(records)
}
