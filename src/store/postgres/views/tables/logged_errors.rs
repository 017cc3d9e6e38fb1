//! The errors that Twilio has logged, read and written within a transaction that the caller holds.

use std::collections::{HashMap, HashSet};

use smol_str::SmolStr;
use tokio_postgres::Row;

use crate::domain::logged_error::{GROUPS_MAX, LoggedError, LoggedErrors};
use crate::domain::{ErrorCode, Timestamp};
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Tables;

/// Code and URL of the row for all errors beyond the first pairs.
const OTHERS: (i64, &[u8]) = (0, b"");

/// A row: how many errors, and when.
struct Group {
    count: i64,
    first_at: i64,
    last_at: i64,
    is_changed: bool,
}

/// The rows by code and URL: at most a thousand, and that of the others.
type Groups = HashMap<(i64, Vec<u8>), Group>;

/// Counts errors, unless they are counted already.
pub fn count(tables: Tables<'_>, errors: &[LoggedError]) -> Result<(), Failure> {
    if errors.is_empty() {
        return Ok(());
    }
    let mut new = insert_ids(tables, errors)?;
    let mut groups = groups(tables)?;
    let mut own_rows = groups.keys().filter(|(code, _)| *code != OTHERS.0).count();
    for LoggedError { id, code, url, at } in errors {
        if !new.remove(&(*id as i64)) {
            continue;
        }
        let mut key = (i64::from(code.number()), url.as_bytes().to_vec());
        if !groups.contains_key(&key) {
            match own_rows < GROUPS_MAX {
                true => own_rows += 1,
                false => key = (OTHERS.0, OTHERS.1.to_vec()),
            }
        }
        let at = at.micros();
        let none = Group { count: 0, first_at: at, last_at: at, is_changed: true };
        let group = groups.entry(key).or_insert(none);
        group.count += 1;
        group.first_at = group.first_at.min(at);
        group.last_at = group.last_at.max(at);
        group.is_changed = true;
    }
    write(tables, &groups)
}

/// Adds the ids that are not known yet, and returns them.
fn insert_ids(tables: Tables<'_>, errors: &[LoggedError]) -> Result<HashSet<i64>, Failure> {
    let sql = format!(
        "INSERT INTO {}.logged_error_ids(id)
         SELECT * FROM unnest($1::bigint[])
         ON CONFLICT DO NOTHING
         RETURNING id",
        tables.schema
    );
    let ids: Vec<_> = errors.iter().map(|error| error.id as i64).collect();
    let rows = tables.connection.query(&sql, &[&ids])?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn groups(tables: Tables<'_>) -> Result<Groups, Failure> {
    let sql =
        format!("SELECT code, url, count, first_at, last_at FROM {}.logged_errors", tables.schema);
    let group = |row: &Row| {
        let key = (row.try_get(0)?, row.try_get(1)?);
        let (count, first_at, last_at) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        Ok((key, Group { count, first_at, last_at, is_changed: false }))
    };
    tables.connection.query(&sql, &[])?.iter().map(group).collect()
}

/// Writes the rows that have changed.
fn write(Tables { connection, schema, .. }: Tables<'_>, groups: &Groups) -> Result<(), Failure> {
    let changed: Vec<_> = groups.iter().filter(|(_, group)| group.is_changed).collect();
    let codes: Vec<_> = changed.iter().map(|((code, _), _)| *code).collect();
    let urls: Vec<_> = changed.iter().map(|((_, url), _)| &url[..]).collect();
    let counts: Vec<_> = changed.iter().map(|(_, group)| group.count).collect();
    let firsts: Vec<_> = changed.iter().map(|(_, group)| group.first_at).collect();
    let lasts: Vec<_> = changed.iter().map(|(_, group)| group.last_at).collect();
    let sql = format!(
        "INSERT INTO {schema}.logged_errors(code, url, count, first_at, last_at)
         SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[])
         ON CONFLICT (code, url) DO UPDATE SET
             count = excluded.count, first_at = excluded.first_at, last_at = excluded.last_at"
    );
    connection.execute(&sql, &[&codes, &urls, &counts, &firsts, &lasts]).map(|_rows| ())
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
