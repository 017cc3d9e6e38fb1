//! The errors that Twilio has logged, read and written within a transaction that the caller holds.

use rusqlite::params;
use smol_str::SmolStr;

use crate::domain::logged_error::{GROUPS_MAX, LoggedError, LoggedErrors};
use crate::domain::{ErrorCode, Timestamp};
use crate::store::sqlite::views::tables::{Tables, damaged};

/// Code and URL of the row for all errors beyond the first pairs.
const OTHERS: (u32, &str) = (0, "");

/// Counts errors, unless they are counted already.
pub fn count(tables: Tables<'_>, errors: &[LoggedError]) -> rusqlite::Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    let mut insert_id = tables.prepare("INSERT OR IGNORE INTO logged_error_ids(id) VALUES (?1)")?;
    let mut has_row = tables.prepare(
        "SELECT EXISTS (SELECT 1 FROM logged_errors WHERE code = ?1 AND url = ?2)
             OR (SELECT count(*) FROM logged_errors WHERE code <> 0) < ?3",
    )?;
    let mut add = tables.prepare(
        "INSERT INTO logged_errors(code, url, count, first_at, last_at)
         VALUES (?1, ?2, 1, ?3, ?3)
         ON CONFLICT DO UPDATE SET
             count = count + 1,
             first_at = min(first_at, excluded.first_at),
             last_at = max(last_at, excluded.last_at)",
    )?;
    for LoggedError { id, code, url, at } in errors {
        if insert_id.execute([*id as i64])? == 0 {
            continue;
        }
        let own = (code.number(), url.as_str());
        let has_own = has_row.query_row(params![own.0, own.1, GROUPS_MAX], |row| row.get(0))?;
        let (code, url) = if has_own { own } else { OTHERS };
        add.execute(params![code, url, at.micros()])?;
    }
    Ok(())
}

/// The errors by code and URL, the last first.
pub fn read(tables: Tables<'_>) -> rusqlite::Result<Vec<LoggedErrors>> {
    let mut statement = tables.prepare(
        "SELECT code, url, count, first_at, last_at
         FROM logged_errors
         ORDER BY last_at DESC, code, url",
    )?;
    let rows = statement.query_map([], |row| {
        let (number, url): (u32, String) = (row.get(0)?, row.get(1)?);
        let about = match number {
            0 => None,
            number => {
                let code = ErrorCode::from_number(number);
                Some((code.ok_or_else(|| damaged(0, "an error code"))?, SmolStr::from(url)))
            }
        };
        Ok(LoggedErrors {
            about,
            count: row.get(2)?,
            first: Timestamp::from_micros(row.get(3)?),
            last: Timestamp::from_micros(row.get(4)?),
        })
    })?;
    rows.collect()
}
