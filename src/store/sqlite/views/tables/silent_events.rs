//! Events that name a message and report nothing of it, read and written within a transaction that the caller holds.

use rusqlite::params;

use crate::store::SilentEvent;
use crate::store::sqlite::views::tables::Tables;

/// Adds events.
pub fn add(tables: Tables<'_>, events: &[SilentEvent]) -> rusqlite::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let mut insert =
        tables.prepare("INSERT INTO silent_events(message, position) VALUES (?1, ?2)")?;
    for SilentEvent { message, position } in events {
        insert.execute(params![message, position])?;
    }
    Ok(())
}

/// At most `limit` events after one, up to a message.
pub fn read(
    tables: Tables<'_>,
    after: SilentEvent,
    last_message: u64,
    limit: usize,
) -> rusqlite::Result<Vec<SilentEvent>> {
    let mut statement = tables.prepare(
        "SELECT message, position
         FROM silent_events
         WHERE (message, position) > (?1, ?2) AND message <= ?3
         ORDER BY message, position
         LIMIT ?4",
    )?;
    let last_message = last_message.min(i64::MAX as u64);
    let limits = params![after.message, after.position, last_message, limit];
    let rows = statement
        .query_map(limits, |row| Ok(SilentEvent { message: row.get(0)?, position: row.get(1)? }))?;
    rows.collect()
}
