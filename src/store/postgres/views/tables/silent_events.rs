//! Events that name a message and report nothing of it, read and written within a transaction that the caller holds.

use tokio_postgres::Row;

use crate::store::SilentEvent;
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Tables;

/// Adds events.
pub fn add(tables: Tables<'_>, events: &[SilentEvent]) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    let messages: Vec<_> = events.iter().map(|event| event.message as i64).collect();
    let positions: Vec<_> = events.iter().map(|event| event.position as i64).collect();
    let sql = format!(
        "INSERT INTO {}.silent_events(message, position)
         SELECT * FROM unnest($1::bigint[], $2::bigint[])",
        tables.schema
    );
    tables.connection.execute(&sql, &[&messages, &positions]).map(|_rows| ())
}

/// At most `limit` events after one, up to a message.
pub fn read(
    tables: Tables<'_>,
    after: SilentEvent,
    last_message: u64,
    limit: usize,
) -> Result<Vec<SilentEvent>, Failure> {
    let sql = format!(
        "SELECT message, position
         FROM {}.silent_events
         WHERE (message, position) > ($1, $2) AND message <= $3
         ORDER BY message, position
         LIMIT $4",
        tables.schema
    );
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (message, position) = (number(after.message), number(after.position));
    let (last, limit) = (number(last_message), number(limit as u64));
    let event = |row: &Row| {
        let (message, position): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok(SilentEvent { message: message as u64, position: position as u64 })
    };
    tables
        .connection
        .query(&sql, &[&message, &position, &last, &limit])?
        .iter()
        .map(event)
        .collect()
}
