//! Reading the log: short statements by position, so that no reader makes the WAL grow.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::connect::Readers;
use super::envelope::{self, Envelope, INLINE};
use super::packed::Values;
use super::{engine, query_value};
use crate::domain::{Position, RecordedEvent};
use crate::store::StoreError;

/// How much one read takes into memory, where bodies are large. A usual event has half a KiB.
const READ_BYTES_MAX: usize = 8 << 20;

/// Readers of one log.
pub struct LogReader {
    readers: Readers,
    /// Envelopes never change, so each is read once.
    envelopes: RwLock<HashMap<i64, Arc<Envelope<'static>>>>,
}

/// An event's row before its envelope has been looked up.
struct EventRow {
    fixed: envelope::Row,
    envelope: i64,
    variables: Vec<u8>,
}

impl LogReader {
    /// On a pool of readers.
    pub fn new(readers: Readers) -> Self {
        Self { readers, envelopes: RwLock::default() }
    }

    /// Lends a connection for something short.
    pub fn with_connection<T>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        act(&*self.readers.get()?)
    }

    /// The last position; 0 in an empty log.
    pub fn head(&self) -> Result<Position, StoreError> {
        let connection = self.readers.get()?;
        query_value(&connection, "SELECT coalesce(max(position), 0) FROM events")
            .map_err(engine("read the head of the log"))
    }

    /// At most `limit` events after a position.
    pub fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let connection = self.readers.get()?;
        let rows = read_rows(&connection, after, limit)?;
        rows.into_iter().map(|row| self.to_event(&connection, row)).collect()
    }

    /// The events at these positions.
    pub fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        let connection = self.readers.get()?;
        let read = |position: &Position| {
            let row = read_row(&connection, *position)?;
            let row = row.ok_or(StoreError::NoSuchEvent { position: *position })?;
            self.to_event(&connection, row)
        };
        positions.iter().map(read).collect()
    }

    fn to_event(
        &self,
        connection: &Connection,
        row: EventRow,
    ) -> Result<RecordedEvent, StoreError> {
        let position = row.fixed.position;
        let unreadable = |detail| StoreError::Unreadable { position, detail };
        let mut values = Values::of(&row.variables);
        let envelope = match row.envelope {
            INLINE => Arc::new(envelope::read_inline(&mut values).map_err(unreadable)?),
            id => self.envelope(connection, id, position)?,
        };
        envelope::join(&envelope, values, row.fixed).map_err(unreadable)
    }

    fn envelope(
        &self,
        connection: &Connection,
        id: i64,
        position: Position,
    ) -> Result<Arc<Envelope<'static>>, StoreError> {
        let known = self.envelopes.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(envelope) = known {
            return Ok(envelope);
        }
        let detail = |detail| StoreError::Unreadable { position, detail };
        let read = read_envelope(connection, id)
            .map_err(|error| detail(format!("its envelope {id}: {error}")))?
            .ok_or_else(|| detail(format!("its envelope {id} is not there")))?;
        let envelope = Arc::new(read);
        let mut envelopes = self.envelopes.write().unwrap_or_else(PoisonError::into_inner);
        envelopes.insert(id, Arc::clone(&envelope));
        Ok(envelope)
    }
}

fn read_rows(
    connection: &Connection,
    after: Position,
    limit: usize,
) -> Result<Vec<EventRow>, StoreError> {
    let failed = || engine("read the log");
    let sql = "SELECT position, event_id, received_at, envelope, variables, body
               FROM events
               WHERE position > ?1
               ORDER BY position
               LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed())?;
    let mut rows = statement.query(params![after, limit as i64]).map_err(failed())?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(failed())? {
        let event = event_row(row)?;
        bytes += event.fixed.body.len() + event.variables.len();
        events.push(event);
        if bytes >= READ_BYTES_MAX {
            break;
        }
    }
    Ok(events)
}

fn read_row(connection: &Connection, position: Position) -> Result<Option<EventRow>, StoreError> {
    let failed = || engine("read the log");
    let sql = "SELECT position, event_id, received_at, envelope, variables, body
               FROM events
               WHERE position = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(failed())?;
    let mut rows = statement.query([position]).map_err(failed())?;
    rows.next().map_err(failed())?.map(event_row).transpose()
}

/// A value of a kind that we never wrote is that event's damage, not the engine's trouble.
fn event_row(row: &Row<'_>) -> Result<EventRow, StoreError> {
    let position = row.get(0).map_err(engine("read the log"))?;
    let read = || -> rusqlite::Result<EventRow> {
        Ok(EventRow {
            fixed: envelope::Row {
                position,
                event_id: row.get(1)?,
                received_at: row.get(2)?,
                body: row.get(5)?,
            },
            envelope: row.get(3)?,
            variables: row.get(4)?,
        })
    };
    read().map_err(|error| StoreError::Unreadable { position, detail: error.to_string() })
}

fn read_envelope(connection: &Connection, id: i64) -> rusqlite::Result<Option<Envelope<'static>>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, source, method, url, verified_by, headers
         FROM envelopes
         WHERE id = ?1",
    )?;
    let envelope = statement.query_row([id], |row| Ok(envelope_row(row)?.1));
    envelope.optional()
}

/// An envelope and its id, from a row with its columns in the table's order.
pub fn envelope_row(row: &Row<'_>) -> rusqlite::Result<(i64, Envelope<'static>)> {
    let headers: String = row.get(5)?;
    let headers = serde_json::from_str(&headers).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, Box::new(error))
    })?;
    let envelope = Envelope {
        source: row.get::<_, String>(1)?.into(),
        method: row.get::<_, String>(2)?.into(),
        url: row.get::<_, String>(3)?.into(),
        verified_by: row.get::<_, Option<String>>(4)?.map(Into::into),
        headers,
    };
    Ok((row.get(0)?, envelope))
}
