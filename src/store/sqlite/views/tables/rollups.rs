//! The roll-ups of one set of views, read and written within a transaction that the caller holds.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::RangeInclusive;

use foldhash::fast::RandomState;
use rusqlite::{CachedStatement, OptionalExtension, params};

use crate::domain::country::Country;
use crate::domain::message::message_ref::MessageRef;
use crate::domain::rollup::{Contribution, Hour, Rollup, RollupKey};
use crate::domain::{AccountSid, ErrorCode, Lifecycle, Status};
use crate::store::MessageChange;
use crate::store::sqlite::views::codec::rollup;
use crate::store::sqlite::views::tables::{Accounts, NO_ACCOUNT, Tables, damaged};

/// The number that stands for "no error code" in the views.
const NO_ERROR_CODE: i64 = -1;

/// The bits of a roll-up's kind in the views.
const INBOUND: i64 = 1;
const SIMULATED: i64 = 2;

/// The hour of messages that are not open.
const NOT_OPEN: i64 = i64::MIN;

/// Passes each roll-up of these hours to `each`, in the order of the hours.
pub fn for_each_rollup(
    tables: Tables<'_>,
    hours: RangeInclusive<Hour>,
    each: &mut dyn FnMut(RollupKey<'_>, &Rollup),
) -> rusqlite::Result<()> {
    let accounts = tables.accounts()?;
    let mut statement = tables.prepare(
        "SELECT hour, account, channel, country, status, error_code, rollup, kind, open_since
         FROM rollups
         WHERE hour BETWEEN ?1 AND ?2
         ORDER BY hour, account, channel, country, status, error_code, kind, open_since",
    )?;
    let mut rows = statement.query([hours.start().0, hours.end().0])?;
    while let Some(row) = rows.next()? {
        let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
        let account_sid = accounts.sid_ref(row.get(1)?)?.map(AccountSid::as_str);
        let kind: i64 = row.get(7)?;
        let key = RollupKey {
            hour: Hour(row.get(0)?),
            account_sid: account_sid.map(Cow::Borrowed),
            channel: Cow::Borrowed(text(2)?),
            country: optional(text(3)?, Country::parse).ok_or_else(|| damaged(3, "a country"))?,
            status: optional(text(4)?, Status::from_exact_name)
                .ok_or_else(|| damaged(4, "a status"))?,
            error_code: error_code(row.get(5)?).ok_or_else(|| damaged(5, "an error code"))?,
            inbound: kind & INBOUND != 0,
            simulated: kind & SIMULATED != 0,
            open_since: Some(row.get(8)?).filter(|hour| *hour != NOT_OPEN).map(Hour),
        };
        let rollup = rollup::unpack(row.get_ref(6)?.as_blob()?);
        each(key, &rollup.ok_or_else(|| damaged(6, "a roll-up"))?);
    }
    Ok(())
}

/// An empty text is `Some(None)`; `None` if the text cannot be parsed.
fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { parse(text).map(Some) }
}

fn error_code(number: i64) -> Option<Option<ErrorCode>> {
    match number {
        NO_ERROR_CODE => Some(None),
        number => ErrorCode::parse(&number.to_string()).map(Some),
    }
}

/// The changes of a batch. Tens of thousands of messages have a few hundred roll-ups.
type Changes<'b> = HashMap<RollupKey<'b>, Rollup, RandomState>;

/// Subtracts each message from the roll-up that it was in, and adds it to the one that it is in now.
pub fn move_messages(tables: Tables<'_>, messages: &[MessageChange]) -> rusqlite::Result<()> {
    let mut writer = RollupWriter::new(tables)?;
    for (key, change) in changes(messages).iter().filter(|(_, change)| !change.is_empty()) {
        writer.change(key, change)?;
    }
    Ok(())
}

fn changes(messages: &[MessageChange]) -> Changes<'_> {
    let mut changes = Changes::default();
    for MessageChange { before, message } in messages {
        let mut count = |lifecycle, times| {
            let message = MessageRef::new(&message.key, lifecycle);
            let rollup = changes.entry(RollupKey::from_message(&message)).or_default();
            rollup.count(Contribution::from_message(&message), times);
        };
        let stood: Option<&Lifecycle> = before.as_deref();
        stood.into_iter().for_each(|before| count(before, -1));
        count(&message.lifecycle, 1);
    }
    changes
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
        let key = "hour = ?1 AND account = ?2 AND channel = ?3
             AND country = ?4 AND status = ?5 AND error_code = ?6 AND kind = ?7 AND open_since = ?8";
        Ok(Self {
            accounts: tables.accounts()?,
            tables,
            read: tables.prepare(&format!("SELECT rollup FROM rollups WHERE {key}"))?,
            replace: tables.prepare(
                "REPLACE INTO rollups
                     (hour, account, channel, country, status, error_code, kind, open_since, rollup)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
            delete: tables.prepare(&format!("DELETE FROM rollups WHERE {key}"))?,
        })
    }

    fn change(&mut self, key: &RollupKey<'_>, change: &Rollup) -> rusqlite::Result<()> {
        let account = match key.account_sid.as_deref().and_then(AccountSid::parse) {
            None => NO_ACCOUNT,
            sid => self.accounts.number_or_insert(self.tables, sid.as_ref())?,
        };
        let country = key.country.as_ref().map_or("", Country::as_str);
        let status = key.status.map_or("", Status::name);
        let error_code = key.error_code.map(ErrorCode::number).map_or(NO_ERROR_CODE, i64::from);
        let kind = i64::from(key.inbound) * INBOUND + i64::from(key.simulated) * SIMULATED;
        let open = key.open_since.map_or(NOT_OPEN, |hour| hour.0);
        let (hour, channel) = (key.hour.0, &key.channel);
        let columns = params![hour, account, channel, country, status, error_code, kind, open];
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
        let row = params![hour, account, channel, country, status, error_code, kind, open, blob];
        self.replace.execute(row).map(|_| ())
    }
}
