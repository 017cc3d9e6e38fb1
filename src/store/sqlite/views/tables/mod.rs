//! The tables of one set of views, and the accounts that they number.

pub mod list;
pub mod logged_errors;
pub mod message_row;
pub mod read;
pub mod rollups;
pub mod sid_table;
pub mod silent_events;
pub mod tag_index;
pub mod write;

use std::cell::RefCell;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::{CachedStatement, Connection};

use crate::domain::AccountSid;
use crate::store::sqlite::views::tables::sid_table::SidTable;

/// The number that stands for "no account" in the views.
pub const NO_ACCOUNT: i64 = 0;

/// The tables of one set of views.
#[derive(Clone, Copy)]
pub struct Tables<'c> {
    pub connection: &'c Connection,
    /// How messages are found by SID while there is no index.
    pub sids: Option<&'c RefCell<SidTable>>,
}

/// The accounts by number: as many as are configured, so all of them fit into memory.
pub struct Accounts {
    by_number: HashMap<i64, AccountSid, RandomState>,
}

impl<'c> Tables<'c> {
    /// The accounts so far.
    pub fn accounts(&self) -> rusqlite::Result<Accounts> {
        let mut statement = self.prepare("SELECT id, account_sid FROM accounts")?;
        let rows = statement.query_map([], |row| {
            let sid: String = row.get(1)?;
            Ok((row.get(0)?, AccountSid::parse(&sid).ok_or_else(|| damaged(1, "an account"))?))
        })?;
        Ok(Accounts { by_number: rows.collect::<rusqlite::Result<_>>()? })
    }

    /// Prepares a statement, once for each connection.
    pub fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
        self.connection.prepare_cached(sql)
    }
}

impl Accounts {
    /// Their SIDs.
    pub fn into_sids(self) -> Vec<AccountSid> {
        self.by_number.into_values().collect()
    }

    /// The number of an account, if it has one already.
    pub fn number(&self, account: Option<&AccountSid>) -> Option<i64> {
        match account {
            None => Some(NO_ACCOUNT),
            Some(sid) => {
                self.by_number.iter().find(|(_, have)| *have == sid).map(|(number, _)| *number)
            }
        }
    }

    /// The number of an account, which gets one if it has none.
    pub fn number_or_insert(
        &mut self,
        tables: Tables<'_>,
        account: Option<&AccountSid>,
    ) -> rusqlite::Result<i64> {
        match (self.number(account), account) {
            (Some(number), _) => Ok(number),
            (None, None) => Ok(NO_ACCOUNT),
            (None, Some(sid)) => {
                let mut statement =
                    tables.prepare("INSERT INTO accounts(account_sid) VALUES (?1)")?;
                let number = statement.insert([sid.as_str()])?;
                self.by_number.insert(number, sid.clone());
                Ok(number)
            }
        }
    }

    /// The account with this number, cloned; `None` if it stands for "no account".
    pub fn sid(&self, number: i64) -> rusqlite::Result<Option<AccountSid>> {
        self.sid_ref(number).map(Option::<&AccountSid>::cloned)
    }

    /// The account with this number; `None` if it stands for "no account".
    pub fn sid_ref(&self, number: i64) -> rusqlite::Result<Option<&AccountSid>> {
        match self.by_number.get(&number) {
            Some(sid) => Ok(Some(sid)),
            None if number == NO_ACCOUNT => Ok(None),
            None => Err(damaged(1, "an account's number")),
        }
    }
}

/// The error for an impossible value in a column.
pub fn damaged(column: usize, what: &str) -> rusqlite::Error {
    let detail = format!("this is not {what}");
    let kind = rusqlite::types::Type::Blob;
    rusqlite::Error::FromSqlConversionFailure(column, kind, detail.into())
}
