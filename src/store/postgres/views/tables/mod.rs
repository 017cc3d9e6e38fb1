//! The tables of one set of views, and the accounts that they number.

pub mod list;
pub mod logged_errors;
pub mod message_row;
pub mod message_writer;
pub mod read;
pub mod rollups;
pub mod silent_events;
pub mod tag_index;
pub mod write;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::domain::AccountSid;
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::Failure;

/// The number that stands for "no account" in the views.
pub const NO_ACCOUNT: i32 = 0;

/// The tables of one set of views.
#[derive(Clone, Copy)]
pub struct Tables<'c> {
    pub connection: &'c Connection,
    /// The schema that they are in.
    pub schema: &'c str,
    /// Whether other processes read and write the same tables.
    pub shared: bool,
}

/// The accounts by number: as many as are configured, so all of them fit into memory.
pub struct Accounts {
    by_number: HashMap<i32, AccountSid, RandomState>,
}

impl Tables<'_> {
    /// The accounts so far.
    pub fn accounts(&self) -> Result<Accounts, Failure> {
        let sql = format!("SELECT id, account_sid FROM {}.accounts", self.schema);
        let mut by_number = HashMap::default();
        for row in self.connection.query(&sql, &[])? {
            let sid = std::str::from_utf8(row.try_get(1)?).ok().and_then(AccountSid::parse);
            by_number.insert(row.try_get(0)?, sid.ok_or(Failure::NotA("an account"))?);
        }
        Ok(Accounts { by_number })
    }
}

impl Accounts {
    /// Their SIDs.
    pub fn into_sids(self) -> Vec<AccountSid> {
        self.by_number.into_values().collect()
    }

    /// The numbers that are in use.
    pub fn numbers(&self) -> impl Iterator<Item = i32> {
        self.by_number.keys().copied()
    }

    /// The number of an account, if it has one already.
    pub fn number(&self, account: Option<&AccountSid>) -> Option<i32> {
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
    ) -> Result<i32, Failure> {
        match (self.number(account), account) {
            (Some(number), _) => Ok(number),
            (None, None) => Ok(NO_ACCOUNT),
            (None, Some(sid)) => {
                let sql = format!(
                    "INSERT INTO {}.accounts(account_sid) VALUES ($1) RETURNING id",
                    tables.schema
                );
                let bytes = sid.as_str().as_bytes();
                let number = tables.connection.query_one(&sql, &[&bytes])?.try_get(0)?;
                self.by_number.insert(number, sid.clone());
                Ok(number)
            }
        }
    }

    /// The account with this number, cloned; `None` if it stands for "no account".
    pub fn sid(&self, number: i32) -> Result<Option<AccountSid>, Failure> {
        self.sid_ref(number).map(Option::<&AccountSid>::cloned)
    }

    /// The account with this number; `None` if it stands for "no account".
    pub fn sid_ref(&self, number: i32) -> Result<Option<&AccountSid>, Failure> {
        match self.by_number.get(&number) {
            Some(sid) => Ok(Some(sid)),
            None if number == NO_ACCOUNT => Ok(None),
            None => Err(Failure::NotA("an account's number")),
        }
    }
}
