//! Reading the cells of one set of the views' tables, within a transaction that the caller holds.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::domain::country::Country;
use crate::domain::rollup::{Hour, Rollup, RollupKey};
use crate::domain::{AccountSid, ErrorCode, Status};
use crate::store::sqlite::views::codec::rollup;
use crate::store::sqlite::views::read::{Tables, damaged};

/// The number that stands for "no error code" in the views.
pub const NO_ERROR_CODE: i64 = -1;

/// The bits of a cell's kind in the views.
pub const INBOUND: i64 = 1;
pub const SIMULATED: i64 = 2;

/// What stands for the hour of messages that are not open.
pub const NOT_OPEN: i64 = i64::MIN;

/// Lends each cell of these hours and its tally, in the order of the hours.
pub fn for_each_rollup(
    tables: Tables<'_>,
    hours: RangeInclusive<Hour>,
    each: &mut dyn FnMut(RollupKey<'_>, &Rollup),
) -> rusqlite::Result<()> {
    let accounts = tables.accounts()?;
    let mut statement = tables.prepare(
        "SELECT hour, account, channel, country, status, error_code, tally, kind, open_since
         FROM cells{}
         WHERE hour BETWEEN ?1 AND ?2
         ORDER BY hour, account, channel, country, status, error_code, kind, open_since",
    )?;
    let mut rows = statement.query([hours.start().0, hours.end().0])?;
    while let Some(row) = rows.next()? {
        let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
        let account_sid = accounts.sid_ref(row.get(1)?)?.map(AccountSid::as_str);
        let kind: i64 = row.get(7)?;
        let cell = RollupKey {
            hour: Hour(row.get(0)?),
            account_sid: account_sid.map(Cow::Borrowed),
            channel: Cow::Borrowed(text(2)?),
            country: optional(text(3)?, Country::parse).ok_or_else(|| damaged(3, "a country"))?,
            status: optional(text(4)?, Status::named).ok_or_else(|| damaged(4, "a status"))?,
            error_code: error_code(row.get(5)?).ok_or_else(|| damaged(5, "an error code"))?,
            inbound: kind & INBOUND != 0,
            simulated: kind & SIMULATED != 0,
            open_since: Some(row.get(8)?).filter(|hour| *hour != NOT_OPEN).map(Hour),
        };
        let tally = rollup::unpack(row.get_ref(6)?.as_blob()?);
        each(cell, &tally.ok_or_else(|| damaged(6, "a tally"))?);
    }
    Ok(())
}

/// An empty text is nothing; one that cannot be read is no answer.
fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { parse(text).map(Some) }
}

fn error_code(number: i64) -> Option<Option<ErrorCode>> {
    match number {
        NO_ERROR_CODE => Some(None),
        number => ErrorCode::parse(&number.to_string()).map(Some),
    }
}
