//! The roll-ups of one set of views, read and written within a transaction that the caller holds.

use rusqlite::{CachedStatement, OptionalExtension, params};

use crate::domain::AccountSid;
use crate::domain::rollup::range::RollupRange;
use crate::domain::rollup::{Hour, Rollup, RollupKey};
use crate::store::MessageChange;
use crate::store::codec::NotA;
use crate::store::codec::rollup;
use crate::store::codec::rollup_key::{KeyColumns, changes};
use crate::store::sqlite::views::tables::{Accounts, NO_ACCOUNT, Tables, damaged};

/// Passes each of these roll-ups to `each`, in the order of the hours.
pub fn for_each_rollup(
    tables: Tables<'_>,
    range: &RollupRange,
    each: &mut dyn FnMut(RollupKey<'_>, &Rollup),
) -> rusqlite::Result<()> {
    let accounts = tables.accounts()?;
    let mut statement = tables.prepare(
        "SELECT hours, hour, account, channel, country, status, error_code, kind, open_since, rollup
         FROM rollups
         WHERE hours = ?1 AND hour BETWEEN ?2 AND ?3
         ORDER BY hour, account, channel, country, status, error_code, kind, open_since",
    )?;
    let mut rows =
        statement.query([range.length.hours(), range.hours.start().0, range.hours.end().0])?;
    let mut rollup = Rollup::default();
    while let Some(row) = rows.next()? {
        let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
        let columns = KeyColumns {
            hours: row.get(0)?,
            hour: row.get(1)?,
            channel: text(3)?,
            country: text(4)?,
            status: text(5)?,
            error_code: row.get(6)?,
            kind: row.get(7)?,
            open_since: row.get(8)?,
        };
        let account_sid = accounts.sid_ref(row.get(2)?)?;
        let key = columns.to_key(account_sid).map_err(|NotA(what)| damaged(3, what))?;
        rollup::unpack_into(&mut rollup, row.get_ref(9)?.as_blob()?)
            .ok_or_else(|| damaged(9, "a roll-up"))?;
        each(key, &rollup);
    }
    Ok(())
}

/// The first and the last hour with roll-ups.
pub fn hours(tables: Tables<'_>) -> rusqlite::Result<Option<(Hour, Hour)>> {
    // Two queries: SQLite would read every row for both values together.
    let sql = "SELECT (SELECT min(hour) FROM rollups WHERE hours = 1),
                      (SELECT max(hour) FROM rollups WHERE hours = 1)";
    tables.prepare(sql)?.query_row([], |row| {
        let (first, last): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(first.map(Hour).zip(last.map(Hour)))
    })
}

/// Subtracts each message from the roll-ups that it was in, and adds it to those that it is in now.
pub fn move_messages(tables: Tables<'_>, messages: &[MessageChange]) -> rusqlite::Result<()> {
    let mut writer = RollupWriter::new(tables)?;
    for (key, change) in &changes(messages) {
        writer.change(key, change)?;
    }
    Ok(())
}

/// Statements that change one roll-up, and the accounts' numbers.
struct RollupWriter<'c> {
    accounts: Accounts,
    tables: Tables<'c>,
    read: CachedStatement<'c>,
    replace: CachedStatement<'c>,
    delete: CachedStatement<'c>,
}

impl<'c> RollupWriter<'c> {
    fn new(tables: Tables<'c>) -> rusqlite::Result<Self> {
        let key = "hours = ?1 AND hour = ?2 AND account = ?3 AND channel = ?4 AND country = ?5
             AND status = ?6 AND error_code = ?7 AND kind = ?8 AND open_since = ?9";
        Ok(Self {
            accounts: tables.accounts()?,
            tables,
            read: tables.prepare(&format!("SELECT rollup FROM rollups WHERE {key}"))?,
            replace: tables.prepare(
                "REPLACE INTO rollups
                     (hours, hour, account, channel, country, status, error_code, kind, open_since, rollup)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?,
            delete: tables.prepare(&format!("DELETE FROM rollups WHERE {key}"))?,
        })
    }

    fn change(&mut self, key: &RollupKey<'_>, change: &Rollup) -> rusqlite::Result<()> {
        let account = match key.account_sid.as_deref().and_then(AccountSid::parse) {
            None => NO_ACCOUNT,
            sid => self.accounts.number_or_insert(self.tables, sid.as_ref())?,
        };
        let columns = KeyColumns::from_key(key);
        let KeyColumns { hours, hour, channel, country, status, error_code: code, kind, .. } =
            columns;
        let open = columns.open_since;
        let columns = params![hours, hour, account, channel, country, status, code, kind, open];
        let existing = self.read.query_row(columns, |row| {
            rollup::unpack(row.get_ref(0)?.as_blob()?).ok_or_else(|| damaged(0, "a roll-up"))
        });
        let mut rollup = existing.optional()?.unwrap_or_default();
        rollup.add(change);
        if rollup.is_empty() {
            return self.delete.execute(columns).map(|_| ());
        }
        // A count below 0 means that the roll-up was wrong before.
        let blob = rollup::pack(&rollup).ok_or_else(|| damaged(0, "a roll-up"))?;
        let row = params![hours, hour, account, channel, country, status, code, kind, open, blob];
        self.replace.execute(row).map(|_| ())
    }
}
