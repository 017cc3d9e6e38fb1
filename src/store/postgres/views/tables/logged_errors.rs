//! The errors that Twilio has logged, read and written within a transaction that the caller holds.

use smol_str::SmolStr;
use tokio_postgres::Row;

use crate::domain::logged_error::{GROUPS_MAX, LoggedError, LoggedErrors};
use crate::domain::{ErrorCode, Timestamp};
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Tables;

/// Code and URL of the row for all errors beyond the first pairs.
const OTHERS: (i64, &[u8]) = (0, b"");

/// Counts errors, unless they are counted already.
pub fn count(
    Tables { connection, schema }: Tables<'_>,
    errors: &[LoggedError],
) -> Result<(), Failure> {
    let insert_id =
        format!("INSERT INTO {schema}.logged_error_ids(id) VALUES ($1) ON CONFLICT DO NOTHING");
    let has_row = format!(
        "SELECT EXISTS (SELECT 1 FROM {schema}.logged_errors WHERE code = $1 AND url = $2)
             OR (SELECT count(*) FROM {schema}.logged_errors WHERE code <> 0) < $3"
    );
    let add = format!(
        "INSERT INTO {schema}.logged_errors AS known(code, url, count, first_at, last_at)
         VALUES ($1, $2, 1, $3, $3)
         ON CONFLICT (code, url) DO UPDATE SET
             count = known.count + 1,
             first_at = least(known.first_at, excluded.first_at),
             last_at = greatest(known.last_at, excluded.last_at)"
    );
    for LoggedError { id, code, url, at } in errors {
        if connection.execute(&insert_id, &[&(*id as i64)])? == 0 {
            continue;
        }
        let own = (i64::from(code.number()), url.as_bytes());
        let has_own = connection.query_one(&has_row, &[&own.0, &own.1, &(GROUPS_MAX as i64)])?;
        let (code, url) = if has_own.try_get(0)? { own } else { OTHERS };
        connection.execute(&add, &[&code, &url, &at.micros()])?;
    }
    Ok(())
}

/// The errors by code and URL, the last first.
pub fn read(tables: Tables<'_>) -> Result<Vec<LoggedErrors>, Failure> {
    let sql = format!(
        "SELECT code, url, count, first_at, last_at
         FROM {}.logged_errors
         ORDER BY last_at DESC, code, url",
        tables.schema
    );
    let errors = |row: &Row| {
        let number: i64 = row.try_get(0)?;
        let url = std::str::from_utf8(row.try_get(1)?).map_err(|_| Failure::NotA("a URL"))?;
        let about = match number {
            0 => None,
            number => {
                let code = u32::try_from(number).ok().and_then(ErrorCode::from_number);
                Some((code.ok_or(Failure::NotA("an error code"))?, SmolStr::from(url)))
            }
        };
        Ok(LoggedErrors {
            about,
            count: row.try_get::<_, i64>(2)? as u64,
            first: Timestamp::from_micros(row.try_get(3)?),
            last: Timestamp::from_micros(row.try_get(4)?),
        })
    };
    tables.connection.query(&sql, &[])?.iter().map(errors).collect()
}
