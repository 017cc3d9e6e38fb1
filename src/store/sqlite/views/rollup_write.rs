//! Moving messages between the cells of one set of the views' tables, within a transaction that the
//! caller holds.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::{OptionalExtension, params};

use crate::domain::country::Country;
use crate::domain::message_ref::MessageRef;
use crate::domain::rollup::{Contribution, Rollup, RollupKey};
use crate::domain::{AccountSid, ErrorCode, Lifecycle, Status};
use crate::store::MessageChange;
use crate::store::sqlite::views::codec::rollup;
use crate::store::sqlite::views::read::{NO_ACCOUNT, Tables, damaged};
use crate::store::sqlite::views::rollup_read::{INBOUND, NO_ERROR_CODE, NOT_OPEN, SIMULATED};
use crate::store::sqlite::views::write;

/// What a batch changes, by cell. There are a few hundred cells to tens of thousands of messages.
type Changes<'b> = HashMap<RollupKey<'b>, Rollup, RandomState>;

/// Takes each message out of the cell it stood in, and counts it in the one where it stands.
pub fn move_messages(tables: Tables<'_>, messages: &[MessageChange]) -> rusqlite::Result<()> {
    let mut put = MessageInsert::new(tables)?;
    for (cell, change) in changes(messages).iter().filter(|(_, change)| !change.is_empty()) {
        put.change(cell, change)?;
    }
    Ok(())
}

fn changes(messages: &[MessageChange]) -> Changes<'_> {
    let mut changes = Changes::default();
    for MessageChange { before, message } in messages {
        let mut count = |lifecycle, times| {
            let standing = MessageRef::of(&message.key, lifecycle);
            let tally = changes.entry(RollupKey::of(&standing)).or_default();
            tally.count(Contribution::of(&standing), times);
        };
        let stood: Option<&Lifecycle> = before.as_deref();
        stood.into_iter().for_each(|before| count(before, -1));
        count(&message.lifecycle, 1);
    }
    changes
}

/// The statements that change one cell, and the accounts' numbers.
struct MessageInsert<'c> {
    accounts: crate::store::sqlite::views::read::Accounts,
    tables: Tables<'c>,
    read: rusqlite::CachedStatement<'c>,
    replace: rusqlite::CachedStatement<'c>,
    delete: rusqlite::CachedStatement<'c>,
}

impl<'c> MessageInsert<'c> {
    fn new(tables: Tables<'c>) -> rusqlite::Result<Self> {
        let key = "hour = ?1 AND account = ?2 AND channel = ?3
             AND country = ?4 AND status = ?5 AND error_code = ?6 AND kind = ?7 AND open_since = ?8";
        Ok(Self {
            accounts: tables.accounts()?,
            tables,
            read: tables.prepare(&format!("SELECT tally FROM cells{{}} WHERE {key}"))?,
            replace: tables.prepare(
                "REPLACE INTO cells{}
                     (hour, account, channel, country, status, error_code, kind, open_since, tally)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
            delete: tables.prepare(&format!("DELETE FROM cells{{}} WHERE {key}"))?,
        })
    }

    fn change(&mut self, cell: &RollupKey<'_>, change: &Rollup) -> rusqlite::Result<()> {
        let account = match cell.account_sid.as_deref().and_then(AccountSid::parse) {
            None => NO_ACCOUNT,
            sid => write::account_number(self.tables, &mut self.accounts, sid.as_ref())?,
        };
        let country = cell.country.as_ref().map_or("", Country::as_str);
        let status = cell.status.map_or("", Status::name);
        let error_code = cell.error_code.map(ErrorCode::number).map_or(NO_ERROR_CODE, i64::from);
        let kind = i64::from(cell.inbound) * INBOUND + i64::from(cell.simulated) * SIMULATED;
        let open = cell.open_since.map_or(NOT_OPEN, |hour| hour.0);
        let (hour, channel) = (cell.hour.0, &cell.channel);
        let key = params![hour, account, channel, country, status, error_code, kind, open];
        let there = self.read.query_row(key, |row| {
            rollup::unpack(row.get_ref(0)?.as_blob()?).ok_or_else(|| damaged(0, "a tally"))
        });
        let mut tally = there.optional()?.unwrap_or_default();
        tally.add(change);
        if tally.is_empty() {
            return self.delete.execute(key).map(|_| ());
        }
        // Less than nothing would be taken away only where the cell did not hold what it should.
        let blob = rollup::pack(&tally).ok_or_else(|| damaged(0, "what its messages come to"))?;
        let row = params![hour, account, channel, country, status, error_code, kind, open, blob];
        self.replace.execute(row).map(|_| ())
    }
}
