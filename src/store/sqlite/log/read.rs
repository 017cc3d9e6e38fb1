//! Reads the log by position, in short statements: a long one would make the WAL grow.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::types::{FromSqlError, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::event::Erased;
use crate::domain::{Position, RecordedEvent};
use crate::store::StoreError;
use crate::store::codec::envelope::{self, Content, Envelope, INLINE};
use crate::store::codec::values::Values;
use crate::store::sqlite::engine;
use crate::store::sqlite::files::descriptor::Descriptor;
use crate::store::sqlite::files::readers::Readers;
use crate::store::sqlite::query_value;
use crate::store::sqlite::views::error::is_sqlite_damage;

/// Maximum bytes per read, for large bodies. A usual event has half a KiB.
const READ_BYTES_MAX: usize = 8 << 20;

/// Reads one log through a pool of connections.
pub struct LogReader {
    readers: Readers,
    /// Receives damage that only readers see.
    log: Arc<Descriptor>,
    /// Envelopes that were read; they never change.
    envelopes: RwLock<HashMap<i64, Arc<Envelope<'static>>>>,
}

impl LogReader {
    /// Reads through this pool.
    pub fn new(readers: Readers, log: Arc<Descriptor>) -> Self {
        Self { readers, log, envelopes: RwLock::default() }
    }

    /// Reports damage that a reader finds: events appended to a damaged file may be lost.
    fn reporting<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &outcome
            && is_sqlite_damage(error)
        {
            self.log.report_damage(&error.to_string());
        }
        outcome
    }

    /// Runs a short read on a connection.
    pub fn with_connection<T>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.reporting(act(&*self.readers.get()?))
    }

    /// The last position; 0 in an empty log.
    pub fn head(&self) -> Result<Position, StoreError> {
        let connection = self.readers.get()?;
        let head = query_value(&connection, "SELECT coalesce(max(position), 0) FROM events");
        self.reporting(head.map_err(engine("read the head of the log")))
    }

    /// Lends at most `limit` events after a position, in order.
    pub fn scan(
        &self,
        after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.reporting(self.scan_rows(after, limit, each))
    }

    fn scan_rows(
        &self,
        after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let failed = || engine("read the log");
        let connection = self.readers.get()?;
        let sql = format!("{EVENT_ROWS} WHERE position > ?1 ORDER BY position LIMIT ?2");
        let mut statement = connection.prepare_cached(&sql).map_err(failed())?;
        let mut rows = statement.query(params![after, limit as i64]).map_err(failed())?;
        let (mut lent, mut bytes) = (Lent::new(), 0);
        while let Some(row) = rows.next().map_err(failed())? {
            let event = lent.fill(self, &connection, row)?;
            bytes += event.body.len() + event.url.len();
            if each(event).is_break() || bytes >= READ_BYTES_MAX {
                break;
            }
        }
        Ok(())
    }

    /// The events at these positions.
    pub fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reporting(self.read_rows(positions))
    }

    fn read_rows(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        let failed = || engine("read the log");
        let connection = self.readers.get()?;
        let sql = format!("{EVENT_ROWS} WHERE position = ?1");
        let mut statement = connection.prepare_cached(&sql).map_err(failed())?;
        let mut read = |position: &Position| {
            let mut rows = statement.query([position]).map_err(failed())?;
            let row = rows.next().map_err(failed())?;
            let row = row.ok_or(StoreError::NoSuchEvent { position: *position })?;
            let mut lent = Lent::new();
            lent.fill(self, &connection, row)?;
            Ok(lent.event)
        };
        positions.iter().map(&mut read).collect()
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

/// An event that is reused for every row, so that its envelope is filled in only when it changes.
struct Lent {
    event: RecordedEvent,
    /// The envelope the event was last filled with.
    envelope: Option<(i64, Arc<Envelope<'static>>)>,
}

impl Lent {
    fn new() -> Self {
        Self { event: envelope::blank(), envelope: None }
    }

    /// Fills the event with a row of [`EVENT_ROWS`].
    fn fill(
        &mut self,
        reader: &LogReader,
        connection: &Connection,
        row: &Row<'_>,
    ) -> Result<&RecordedEvent, StoreError> {
        let position = row.get(0).map_err(engine("read the log"))?;
        let unreadable = |detail| StoreError::Unreadable { position, detail };
        // A value of another type is damage of this event, not an error of the engine.
        let EventRow { envelope, variables, rest } = EventRow::read(position, row, connection)
            .map_err(|error| unreadable(error.to_string()))?;
        let mut values = Values::new(variables);
        let known = self.envelope.as_ref().is_some_and(|(id, _)| *id == envelope);
        if !known || envelope == INLINE {
            let read = match envelope {
                INLINE => Arc::new(envelope::read_inline(&mut values).map_err(unreadable)?),
                id => reader.envelope(connection, id, position)?,
            };
            envelope::share(&read, &mut self.event.event).map_err(unreadable)?;
            self.envelope = Some((envelope, read));
        }
        let (_, shared) = self.envelope.as_ref().expect("it was just filled in");
        envelope::join(shared, values, rest, &mut self.event).map_err(unreadable)?;
        Ok(&self.event)
    }
}

/// The columns of an [`EventRow`].
const EVENT_ROWS: &str =
    "SELECT position, event_id, received_at, salt, envelope, variables, body FROM events";

/// An event's row, borrowed from SQLite.
struct EventRow<'a> {
    envelope: i64,
    variables: &'a [u8],
    rest: envelope::Row<'a>,
}

impl<'a> EventRow<'a> {
    fn read(
        position: Position,
        row: &'a Row<'_>,
        connection: &Connection,
    ) -> rusqlite::Result<Self> {
        let blob = |index| row.get_ref(index)?.as_blob().map_err(|error| wrong_kind(index, error));
        let (event_id, received_at) = (blob(1)?, row.get(2)?);
        let content = match row.get_ref(3)? {
            ValueRef::Null => Content::Erased(read_erased(connection, position, blob(6)?)?),
            salt => Content::Whole {
                salt: salt.as_blob().map_err(|error| wrong_kind(3, error))?,
                body: blob(6)?,
            },
        };
        let rest = envelope::Row { position, event_id, received_at, content };
        Ok(Self { envelope: row.get(4)?, variables: blob(5)?, rest })
    }
}

/// The remains of an event without a salt.
fn read_erased(
    connection: &Connection,
    position: Position,
    body: &[u8],
) -> rusqlite::Result<Erased> {
    let failed = |detail: &str| {
        rusqlite::Error::FromSqlConversionFailure(3, Type::Null, detail.to_owned().into())
    };
    let mut statement = connection.prepare_cached(
        "SELECT message, content, erased_by
         FROM erased
         WHERE position = ?1",
    )?;
    let erased = statement.query_row([position], |row| {
        Ok(Erased { message: row.get(0)?, content: row.get(1)?, erased_by: row.get(2)? })
    });
    let erased = erased.optional()?.ok_or_else(|| failed("it has no salt, and is not erased"))?;
    match body.is_empty() {
        true => Ok(erased),
        false => Err(failed("it is erased, but still has a body")),
    }
}

fn wrong_kind(column: usize, error: FromSqlError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
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
        rusqlite::Error::FromSqlConversionFailure(5, Type::Text, Box::new(error))
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
