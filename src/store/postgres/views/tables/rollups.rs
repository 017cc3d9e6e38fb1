//! The roll-ups of one set of views, read and written within a transaction that the caller holds.

use std::ops::ControlFlow;

use tokio_postgres::Row;

use crate::domain::AccountSid;
use crate::domain::rollup::range::RollupRange;
use crate::domain::rollup::{Hour, Rollup, RollupKey};
use crate::store::MessageChange;
use crate::store::codec::rollup;
use crate::store::codec::rollup_key::{KeyColumns, changes};
use crate::store::postgres::connect::connection::Parameter;
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::{NO_ACCOUNT, Tables};

/// The columns of the key, in the order of the roll-ups.
const KEY: &str = "hours, hour, account, channel, country, status, error_code, kind, open_since";

/// Passes each of these roll-ups to `each`, in the order of the hours.
pub fn for_each_rollup(
    tables: Tables<'_>,
    range: &RollupRange,
    each: &mut dyn FnMut(RollupKey<'_>, &Rollup),
) -> Result<(), Failure> {
    let accounts = tables.accounts()?;
    // Texts in the order of their bytes, as on every engine.
    let sql = format!(
        "SELECT {KEY}, rollup
         FROM {}.rollups
         WHERE hours = $1 AND hour BETWEEN $2 AND $3
         ORDER BY hour, account, channel, country COLLATE \"C\", status COLLATE \"C\", error_code, kind,
                  open_since",
        tables.schema
    );
    let mut rollup = Rollup::default();
    let mut lend = |row: &Row| {
        let columns = KeyColumns {
            hours: row.try_get(0)?,
            hour: row.try_get(1)?,
            channel: std::str::from_utf8(row.try_get(3)?)
                .map_err(|_| Failure::NotA("a channel"))?,
            country: row.try_get(4)?,
            status: row.try_get(5)?,
            error_code: row.try_get(6)?,
            kind: row.try_get(7)?,
            open_since: row.try_get(8)?,
        };
        let key = columns.to_key(accounts.sid_ref(row.try_get(2)?)?)?;
        rollup::unpack_into(&mut rollup, row.try_get(9)?).ok_or(Failure::NotA("a roll-up"))?;
        each(key, &rollup);
        Ok::<_, Failure>(ControlFlow::Continue(()))
    };
    let hours = range.length.hours();
    let parameters: [Parameter<'_>; 3] = [&hours, &range.hours.start().0, &range.hours.end().0];
    tables.connection.for_each_row(&sql, &parameters, &mut lend)
}

/// The first and the last hour with roll-ups.
pub fn hours(tables: Tables<'_>) -> Result<Option<(Hour, Hour)>, Failure> {
    let sql = format!("SELECT min(hour), max(hour) FROM {}.rollups WHERE hours = 1", tables.schema);
    let row = tables.connection.query_one(&sql, &[])?;
    let (first, last): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(first.map(Hour).zip(last.map(Hour)))
}

/// The keys of a batch, a list for each column.
#[derive(Default)]
struct Keys<'k> {
    hours: Vec<i64>,
    hour: Vec<i64>,
    account: Vec<i32>,
    channel: Vec<&'k [u8]>,
    country: Vec<&'k str>,
    status: Vec<&'k str>,
    error_code: Vec<i64>,
    kind: Vec<i64>,
    open_since: Vec<i64>,
}

impl<'k> Keys<'k> {
    fn push(&mut self, account: i32, key: KeyColumns<'k>) {
        self.hours.push(key.hours);
        self.hour.push(key.hour);
        self.account.push(account);
        self.channel.push(key.channel.as_bytes());
        self.country.push(key.country);
        self.status.push(key.status);
        self.error_code.push(key.error_code);
        self.kind.push(key.kind);
        self.open_since.push(key.open_since);
    }

    /// The lists as the first nine parameters of a statement.
    fn parameters(&self) -> Vec<Parameter<'_>> {
        vec![
            &self.hours,
            &self.hour,
            &self.account,
            &self.channel,
            &self.country,
            &self.status,
            &self.error_code,
            &self.kind,
            &self.open_since,
        ]
    }
}

/// A table of the keys in the parameters.
const GIVEN: &str =
    "unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bytea[], $5::text[], $6::text[],
                            $7::bigint[], $8::bigint[], $9::bigint[]";

/// Subtracts each message from the roll-ups that it was in, and adds it to those that it is in now.
pub fn move_messages(tables: Tables<'_>, messages: &[MessageChange]) -> Result<(), Failure> {
    let changes = changes(messages);
    if changes.is_empty() {
        return Ok(());
    }
    let mut accounts = tables.accounts()?;
    let (mut keys, mut rollups) = (Keys::default(), Vec::new());
    for (key, change) in &changes {
        let account = match key.account_sid.as_deref().and_then(AccountSid::parse) {
            None => NO_ACCOUNT,
            sid => accounts.number_or_insert(tables, sid.as_ref())?,
        };
        keys.push(account, KeyColumns::from_key(key));
        rollups.push(change.clone());
    }
    add_existing(tables, &keys, &mut rollups)?;
    write(tables, &keys, &rollups)
}

/// Adds to each change the roll-up that the table has for its key.
fn add_existing(
    tables: Tables<'_>,
    keys: &Keys<'_>,
    rollups: &mut [Rollup],
) -> Result<(), Failure> {
    let sql = format!(
        "SELECT place, rollup
         FROM {GIVEN}) WITH ORDINALITY AS given({KEY}, place) JOIN {}.rollups USING ({KEY})",
        tables.schema
    );
    for row in tables.connection.query(&sql, &keys.parameters())? {
        let place = row.try_get::<_, i64>(0)? as usize - 1;
        let existing = rollup::unpack(row.try_get(1)?).ok_or(Failure::NotA("a roll-up"))?;
        rollups[place].add(&existing);
    }
    Ok(())
}

/// Writes the roll-ups that have messages, and removes the others.
fn write(
    Tables { connection, schema, .. }: Tables<'_>,
    keys: &Keys<'_>,
    rollups: &[Rollup],
) -> Result<(), Failure> {
    let pack = |rollup: &Rollup| match rollup.is_empty() {
        true => Ok(None),
        // A count below 0 means that the roll-up was wrong before.
        false => rollup::pack(rollup).map(Some).ok_or(Failure::NotA("a roll-up")),
    };
    let blobs = rollups.iter().map(pack).collect::<Result<Vec<_>, _>>()?;
    let mut parameters = keys.parameters();
    parameters.push(&blobs);
    let given = format!("{GIVEN}, $10::bytea[]) AS given({KEY}, rollup)");
    connection.execute(
        &format!(
            "INSERT INTO {schema}.rollups({KEY}, rollup)
             SELECT * FROM {given} WHERE rollup IS NOT NULL
             ON CONFLICT ({KEY}) DO UPDATE SET rollup = excluded.rollup"
        ),
        &parameters,
    )?;
    if blobs.iter().any(Option::is_none) {
        connection.execute(
            &format!(
                "DELETE FROM {schema}.rollups AS stored
                 USING {given}
                 WHERE given.rollup IS NULL
                   AND (stored.hours, stored.hour, stored.account, stored.channel, stored.country, stored.status,
                        stored.error_code, stored.kind, stored.open_since)
                     = (given.hours, given.hour, given.account, given.channel, given.country, given.status,
                        given.error_code, given.kind, given.open_since)"
            ),
            &parameters,
        )?;
    }
    Ok(())
}
