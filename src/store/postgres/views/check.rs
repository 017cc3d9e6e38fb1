//! Checks one set of views: that its tables and indexes exist, that the flags of its messages are those by which
//! lists find them, and that every account has messages. The server checks indexes against tables itself.

use std::collections::HashSet;

use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::schema;
use crate::store::postgres::views::tables::Tables;
use crate::store::{Checked, Damage};

/// The number of messages that one statement checks; it ends within the deadline of a connection.
const MESSAGES_AT_A_TIME: u64 = 200_000;

/// Checks the views.
pub fn views(tables: &Tables<'_>) -> Result<Checked, Failure> {
    let missing = schema::missing(tables.connection, tables.schema)?;
    let damages = match missing.is_empty() {
        true => messages(tables)?,
        false => missing.into_iter().map(|name| engine(format!("{name} is missing"))).collect(),
    };
    Ok(Checked { damages, finished: true })
}

/// Compares flags and accounts with the messages.
fn messages(tables: &Tables<'_>) -> Result<Vec<Damage>, Failure> {
    let (mut damages, mut accounts) = (Vec::new(), HashSet::new());
    let last = tables.last_id()?;
    for after in (0..=last).step_by(MESSAGES_AT_A_TIME as usize) {
        let up_to = after + MESSAGES_AT_A_TIME;
        // Whatever comes after the last message is wrong, too.
        let bounds = (after as i64, if up_to > last { i64::MAX } else { up_to as i64 });
        let of_messages = accounts_and_flags(tables, bounds, &mut accounts)?;
        if flagged(tables, bounds)? != (of_messages, of_messages) {
            let range = format!("{} to {}", after + 1, up_to.min(last));
            damages.push(engine(format!("the flags of messages {range} differ from their index")));
        }
    }
    let known = tables.accounts()?;
    let rows = known.numbers().filter(|number| !accounts.contains(number)).count() as u64;
    damages.extend(Some(Damage::Stray { table: "accounts", rows }).filter(|_| rows > 0));
    Ok(damages)
}

/// Collects the accounts of the messages after an id and up to another, and returns the number of flags that
/// they have.
fn accounts_and_flags(
    tables: &Tables<'_>,
    (after, up_to): (i64, i64),
    accounts: &mut HashSet<i32>,
) -> Result<i64, Failure> {
    let sql = format!(
        "SELECT account, sum(bit_count(flags::integer::bit(8)))::bigint
         FROM {}.messages
         WHERE id > $1 AND id <= $2
         GROUP BY account",
        tables.schema
    );
    let mut flags = 0;
    for row in tables.connection.query(&sql, &[&after, &up_to])? {
        accounts.insert(row.try_get(0)?);
        flags += row.try_get::<_, i64>(1)?;
    }
    Ok(flags)
}

/// The number of rows of flags of these messages, and of those whose message has the flag.
fn flagged(tables: &Tables<'_>, (after, up_to): (i64, i64)) -> Result<(i64, i64), Failure> {
    let sql = format!(
        "SELECT count(*), count(*) FILTER (WHERE flags & flag <> 0)
         FROM {schema}.flagged LEFT JOIN {schema}.messages USING (id)
         WHERE flag IN (1, 2, 4, 8, 16, 32) AND id > $1 AND id <= $2",
        schema = tables.schema
    );
    let row = tables.connection.query_one(&sql, &[&after, &up_to])?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn engine(detail: String) -> Damage {
    Damage::Engine { detail }
}
