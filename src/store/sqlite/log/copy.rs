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
use crate::store::sqlite::engine;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::migrate;
use crate::store::sqlite::query_value;

/// Maximum rows and bytes that one read takes into memory.
const READ_ROWS_MAX: usize = 4096;
const READ_BYTES_MAX: usize = 8 << 20;

/// An event's columns after its position, of any type.
type EventRow = (Position, [Value; 5]);

/// Copies a log, up to its head at the start, into an empty file.
pub fn log(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(Position) -> ControlFlow<()>,
) -> Result<Position, StoreError> {
    let source = connect::for_reading(from)?;
    migrate::refuse_newer(&source, from)?;
    migrate::refuse_empty(&source, from)?;
    let head = query_value(&source, "SELECT coalesce(max(position), 0) FROM events")
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
    }
    Ok(head)
}

fn copy_ledger_id(source: &Connection, target: &Connection) -> rusqlite::Result<()> {
    let id: Value = query_value(source, "SELECT ledger_id FROM ledger")?;
    target.execute("INSERT INTO ledger(ledger_id) VALUES (?1)", [id]).map(|_rows| ())
}

/// Reads the events after a position; the statement ends before anything is written.
fn read(source: &Connection, after: Position, head: Position) -> rusqlite::Result<Vec<EventRow>> {
    let mut statement = source.prepare_cached(
        "SELECT position, event_id, received_at, envelope, variables, body
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

fn columns(row: &Row<'_>) -> rusqlite::Result<[Value; 5]> {
    Ok([row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?])
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
        "INSERT INTO events(position, event_id, received_at, envelope, variables, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, [event_id, received_at, envelope, variables, body]) in events {
        insert.execute(params![position, event_id, received_at, envelope, variables, body])?;
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
