//! The records of seals in a log.

use crate::store::StoreError;
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, engine};
use crate::store::seals::{NewSealRecord, SealQuery, SealRecord, record};

/// Adds records, all or none, and returns once they are durable. The lock makes processes take turns at
/// numbers; reading is not blocked.
pub fn add(connection: &Connection, records: &[NewSealRecord]) -> Result<(), StoreError> {
    connection.take_warning();
    let insert = || {
        connection.batch_execute("LOCK TABLE seal_records IN SHARE ROW EXCLUSIVE MODE")?;
        for NewSealRecord { kind, size, recorded_at, content } in records {
            connection.execute(
                "INSERT INTO seal_records(number, kind, size, recorded_at, content)
                 SELECT coalesce(max(number), 0) + 1, $1, $2, $3, $4 FROM seal_records",
                &[&kind.name(), &(*size as i64), &recorded_at.micros(), content],
            )?;
        }
        Ok::<_, Failure>(())
    };
    connection.transaction("BEGIN", insert).map_err(engine("record a seal"))?;
    // A seal that only the primary has could be lost with it.
    connection.refuse_warning()
}

/// Reads records. A log of an earlier version, which is open for reading only, has none.
pub fn read(connection: &Connection, query: &SealQuery) -> Result<Vec<SealRecord>, StoreError> {
    let failed = || engine("read the records of seals");
    let exists = connection.query_one("SELECT to_regclass('seal_records') IS NOT NULL", &[]);
    if !exists.and_then(|row| Ok(row.try_get(0)?)).map_err(failed())? {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT number, kind, size, recorded_at, content
         FROM seal_records
         WHERE kind = $1 AND size BETWEEN $2 AND $3
         ORDER BY {}
         LIMIT $4",
        query.order()
    );
    let [first, last, limit] = query.bounds();
    let rows =
        connection.query(&sql, &[&query.kind.name(), &first, &last, &limit]).map_err(failed())?;
    let columns = |row: &tokio_postgres::Row| {
        let kind: String = row.try_get(1)?;
        Ok::<_, Failure>((
            row.try_get(0)?,
            kind,
            (row.try_get(2)?, row.try_get(3)?),
            row.try_get(4)?,
        ))
    };
    rows.iter()
        .map(|row| {
            let (number, kind, sizes, content) = columns(row).map_err(failed())?;
            record(number, &kind, sizes, content)
        })
        .collect()
}
