//! Erases events: the only code that changes the log.

use std::collections::HashSet;

use rusqlite::{Connection, Transaction, params};

use crate::domain::hash::Hash;
use crate::domain::{NewEvent, Position, Timestamp};
use crate::store::codec::envelope::Envelope;
use crate::store::erase::{ErasedEvent, UnusedEnvelopes};
use crate::store::sqlite::files::watch::Watch;
use crate::store::sqlite::log::append::{Appender, Envelopes};
use crate::store::sqlite::log::log_file::Log;
use crate::store::{StoreError, WalCheckpoints};

/// Maximum rows of one statement that looks for the envelopes in use.
const ROWS_MAX: i64 = 65_536;

/// The envelopes that still have something to erase.
const ENVELOPES: &str = "
    SELECT id FROM envelopes
    WHERE source IS NOT 'erasure' AND (method, url, headers) IS NOT ('', '', '[]') AND headers IS NOT ''";

impl Log {
    /// See [`crate::store::erase::Erasing::erase`].
    pub fn erase(
        &self,
        erasure: &NewEvent,
        events: &[ErasedEvent],
        unused: Option<&UnusedEnvelopes>,
    ) -> Result<Position, StoreError> {
        self.write("cannot erase", |appender, watch| {
            let position = appender.erase(erasure, events, unused, watch)?;
            self.files.check()?;
            Ok(position)
        })
    }

    /// Empties the WAL, which has the content as it was before; false if another program checkpoints it.
    pub fn empty_wal(&self) -> Result<bool, StoreError> {
        self.checkpoint_wal()?;
        Ok(self.wal_checkpoints == WalCheckpoints::Own)
    }
}

impl Appender {
    /// What is freed is overwritten with zeros, as on every connection that writes to the log.
    fn erase(
        &mut self,
        erasure: &NewEvent,
        events: &[ErasedEvent],
        unused: Option<&UnusedEnvelopes>,
        watch: &mut Watch,
    ) -> Result<Position, StoreError> {
        self.write(None, &[(erasure, None)], &[], watch, &|transaction, envelopes, erased_by| {
            events.iter().try_for_each(|event| erase(transaction, envelopes, event, erased_by))?;
            unused.map_or(Ok(()), |unused| empty(transaction, unused))
        })
    }
}

fn erase(
    transaction: &Transaction<'_>,
    envelopes: &mut Envelopes,
    event: &ErasedEvent,
    erased_by: Position,
) -> rusqlite::Result<()> {
    let ErasedEvent { position, source, verified_by, message, content } = event;
    transaction
        .prepare_cached(
            "INSERT INTO erased(position, message, content, erased_by) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![position, message, content, erased_by])?;
    let envelope = Envelope::of_erased(*source, verified_by.as_deref());
    let (envelope, variables) = envelopes.place(transaction, envelope, Vec::new(), false)?;
    transaction
        .prepare_cached(
            "UPDATE events
             SET salt = NULL, envelope = ?2, variables = ?3, body = x''
             WHERE position = ?1",
        )?
        .execute(params![position, envelope, variables])?;
    Ok(())
}

/// Empties envelopes, except those that an event has taken since. One with unreadable headers is never shared.
fn empty(transaction: &Transaction<'_>, unused: &UnusedEnvelopes) -> rusqlite::Result<()> {
    let mut taken = HashSet::new();
    add_used(transaction, unused.up_to, i64::MAX, &[], &mut taken)?;
    let mut update = transaction.prepare_cached(
        "UPDATE envelopes
         SET method = '', url = '', headers = ''
         WHERE id = ?1",
    )?;
    let mut unused = unused.ids.iter().filter(|id| !taken.contains(*id));
    unused.try_for_each(|id| update.execute([id]).map(|_rows| ()))
}

/// See [`crate::store::erase::Erasing::unused_envelopes`].
pub fn unused_envelopes(
    connection: &Connection,
    apart_from: &[Position],
) -> rusqlite::Result<UnusedEnvelopes> {
    let mut ids = connection.prepare(ENVELOPES)?;
    let ids: Vec<i64> = ids.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let (mut used, mut up_to) = (HashSet::new(), 0);
    while ids.iter().any(|id| !used.contains(id)) {
        match add_used(connection, up_to, ROWS_MAX, apart_from, &mut used)? {
            Some(last) => up_to = last,
            None => break,
        }
    }
    let ids = ids.into_iter().filter(|id| !used.contains(id)).collect();
    Ok(UnusedEnvelopes { ids, up_to })
}

/// Adds the envelopes of at most `limit` events after a position; returns the last position, if there is one.
fn add_used(
    connection: &Connection,
    after: Position,
    limit: i64,
    apart_from: &[Position],
    used: &mut HashSet<i64>,
) -> rusqlite::Result<Option<Position>> {
    let mut statement = connection.prepare_cached(
        "SELECT position, envelope
         FROM events
         WHERE position > ?1
         ORDER BY position
         LIMIT ?2",
    )?;
    let (mut rows, mut last) = (statement.query(params![after, limit])?, None);
    while let Some(row) = rows.next()? {
        let position = row.get(0)?;
        if apart_from.binary_search(&position).is_err() {
            used.insert(row.get(1)?);
        }
        last = Some(position);
    }
    Ok(last)
}

/// See [`crate::store::erase::Erasing::erased_by`].
pub fn erased_by(
    connection: &Connection,
    messages: &[Hash],
) -> rusqlite::Result<Vec<Option<Position>>> {
    let mut statement =
        connection.prepare_cached("SELECT max(erased_by) FROM erased WHERE message = ?1")?;
    let last = |message| statement.query_row([message], |row| row.get(0));
    messages.iter().map(last).collect()
}

/// See [`crate::store::erase::Erasing::erased_count`].
pub fn erased_count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT count(*) FROM erased", [], |row| row.get(0))
}

/// See [`crate::store::erase::Erasing::has_erased`].
pub fn has_erased(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM erased)")?;
    statement.query_row([], |row| row.get(0))
}

/// See [`crate::store::erase::Erasing::erased_between`].
pub fn erased_between(
    connection: &Connection,
    since: Timestamp,
    until: Timestamp,
) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*)
         FROM erased JOIN events USING (position)
         WHERE received_at >= ?1 AND received_at < ?2",
    )?;
    statement.query_row([since.micros(), until.micros()], |row| row.get(0))
}

/// See [`crate::store::erase::Erasing::erased_after`].
pub fn erased_after(
    connection: &Connection,
    position: Position,
    limit: usize,
) -> rusqlite::Result<Vec<(Position, Position)>> {
    let mut statement = connection.prepare_cached(
        "SELECT position, erased_by
         FROM erased
         WHERE position > ?1
         ORDER BY position
         LIMIT ?2",
    )?;
    let rows =
        statement.query_map(params![position, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
