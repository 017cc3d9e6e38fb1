//! Copies a log row by row into a new file. An append-only log needs no snapshot.
//!
//! SQLite's backup interface starts over whenever another process writes between two of its steps; in one
//! step it holds a snapshot throughout, like `VACUUM INTO`, and the write-ahead log grows meanwhile.
//! `benches/backup.py` compares all three under load.

use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params, params_from_iter};

use crate::domain::Position;
use crate::store::StoreError;
use crate::store::seals::{SealQuery, SealRecordKind};
use crate::store::sqlite::engine;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::log::seals;
use crate::store::sqlite::migrate;
use crate::store::sqlite::query_value;

/// Maximum rows and bytes that one read takes into memory.
const READ_ROWS_MAX: usize = 4096;
const READ_BYTES_MAX: usize = 8 << 20;

/// An event's columns after its position, of any type.
type EventRow = (Position, [Value; 6]);

/// Copies a log into an empty file: up to its head at the start, or to the last erasure of events before
/// that. Returns the last position.
pub fn log(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(Position) -> ControlFlow<()>,
) -> Result<Position, StoreError> {
    let source = connect::for_reading(from)?;
    migrate::refuse_newer(&source, from)?;
    migrate::refuse_empty(&source, from)?;
    let mut head = query_value(&source, "SELECT coalesce(max(position), 0) FROM events")
        .map_err(engine("read the head of the log"))?;
    let mut target = connect::unjournaled(to)?;
    migrate::log(&mut target, to)?;
    copy_ledger_id(&source, &target).map_err(engine("copy the ledger's id"))?;
    let (mut at, mut envelope) = (0, 0);
    while at < head {
        let events = read(&source, at, head).map_err(engine("read the log"))?;
        let due = events.iter().zip(at + 1..).find(|((position, _), due)| position != due);
        if let Some(position) = due.map(|(_, due)| due).or(events.is_empty().then_some(at + 1)) {
            return Err(StoreError::NoSuchEvent { position });
        }
        let writing = engine("write the copy");
        let transaction = target.transaction().map_err(engine("write the copy"))?;
        // Read after the events, so that none of theirs is missing.
        envelope = copy_envelopes(&source, &transaction, envelope)?;
        write(&transaction, &events).and_then(|()| transaction.commit()).map_err(writing)?;
        at += events.len() as Position;
        if progress(at).is_break() {
            return Err(StoreError::Cancelled);
        }
        if at == head {
            // Events that were erased meanwhile would have no erasure in the copy.
            head = last_erasure(&source, head).map_err(engine("read the erased events"))?;
        }
    }
    copy_erased(&source, &target, head).map_err(engine("copy the erased events"))?;
    copy_seals(&source, &mut target, head)?;
    Ok(head)
}

/// The position of the last erasure of an event up to the head; the head, if none is beyond it.
fn last_erasure(source: &Connection, head: Position) -> rusqlite::Result<Position> {
    let mut statement =
        source.prepare_cached("SELECT max(erased_by) FROM erased WHERE position <= ?1")?;
    let last: Option<Position> = statement.query_row([head], |row| row.get(0))?;
    Ok(last.map_or(head, |last| last.max(head)))
}

/// Copies the list of erased events, and erases those that were copied before they were erased.
fn copy_erased(source: &Connection, target: &Connection, head: Position) -> rusqlite::Result<()> {
    let transaction = target.unchecked_transaction()?;
    let mut select = source.prepare(
        "SELECT position, message, content, erased_by, salt, envelope, variables, body
         FROM erased JOIN events USING (position)
         WHERE position <= ?1 AND erased_by <= ?1
         ORDER BY position",
    )?;
    let mut insert = transaction.prepare(
        "INSERT INTO erased(position, message, content, erased_by) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut erase = transaction.prepare(
        "UPDATE events
         SET salt = ?2, envelope = ?3, variables = ?4, body = ?5
         WHERE position = ?1 AND salt IS NOT NULL",
    )?;
    let mut rows = select.query([head])?;
    while let Some(row) = rows.next()? {
        let value = |column| row.get::<_, Value>(column);
        insert.execute(params![value(0)?, value(1)?, value(2)?, value(3)?])?;
        erase.execute(params![value(0)?, value(4)?, value(5)?, value(6)?, value(7)?])?;
    }
    drop((insert, erase));
    transaction.commit()
}

/// Copies what seals say about the events up to the head.
fn copy_seals(
    source: &Connection,
    target: &mut Connection,
    head: Position,
) -> Result<(), StoreError> {
    for kind in SealRecordKind::ALL {
        let records = seals::read(source, &SealQuery::of_sizes(kind, 0..=head))?;
        let records: Vec<_> = records.into_iter().map(|found| found.record).collect();
        seals::add(target, &records)?;
    }
    Ok(())
}

fn copy_ledger_id(source: &Connection, target: &Connection) -> rusqlite::Result<()> {
    let id: Value = query_value(source, "SELECT ledger_id FROM ledger")?;
    target.execute("INSERT INTO ledger(ledger_id) VALUES (?1)", [id]).map(|_rows| ())
}

/// Reads the events after a position; the statement ends before anything is written.
fn read(source: &Connection, after: Position, head: Position) -> rusqlite::Result<Vec<EventRow>> {
    let mut statement = source.prepare_cached(
        "SELECT position, event_id, received_at, salt, envelope, variables, body
         FROM events
         WHERE position > ?1 AND position <= ?2
         ORDER BY position
         LIMIT ?3",
    )?;
    let mut rows = statement.query(params![after, head, READ_ROWS_MAX as i64])?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let columns = columns(row)?;
        bytes += columns.iter().map(bytes_of).sum::<usize>();
        events.push((row.get(0)?, columns));
        if bytes >= READ_BYTES_MAX {
            break;
        }
    }
    Ok(events)
}

fn columns(row: &Row<'_>) -> rusqlite::Result<[Value; 6]> {
    Ok([row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?])
}

fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Blob(bytes) => bytes.len(),
        Value::Text(text) => text.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => size_of::<i64>(),
    }
}

fn write(transaction: &Transaction<'_>, events: &[EventRow]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events(position, event_id, received_at, salt, envelope, variables, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (position, [event_id, received_at, salt, envelope, variables, body]) in events {
        insert.execute(params![
            position,
            event_id,
            received_at,
            salt,
            envelope,
            variables,
            body
        ])?;
    }
    Ok(())
}

/// Copies the envelopes after an id, and returns the last id.
fn copy_envelopes(
    source: &Connection,
    transaction: &Transaction<'_>,
    after: i64,
) -> Result<i64, StoreError> {
    let copy = || -> rusqlite::Result<i64> {
        let mut select = source.prepare_cached(
            "SELECT id, source, method, url, verified_by, headers
             FROM envelopes
             WHERE id > ?1
             ORDER BY id",
        )?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO envelopes(id, source, method, url, verified_by, headers)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let (mut rows, mut last) = (select.query([after])?, after);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            let values = (0..6).map(|column| row.get::<_, Value>(column));
            insert.execute(params_from_iter(values.collect::<rusqlite::Result<Vec<_>>>()?))?;
        }
        Ok(last)
    };
    copy().map_err(engine("copy the envelopes"))
}
