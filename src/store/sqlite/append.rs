//! The only write to the log.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use super::connect::BUSY_TIMEOUT;
use super::envelope::{self, ENVELOPES_MAX, Envelope, INLINE};
use super::{engine, query_value};
use crate::domain::{NewEvent, Position};
use crate::store::StoreError;

/// The log's one write connection, with what it knows of the log.
pub struct Appender {
    connection: Connection,
    head: Position,
    envelopes: Envelopes,
}

/// The envelopes that events can share.
#[derive(Default)]
struct Envelopes {
    ids: HashMap<Envelope<'static>, i64>,
    last_id: i64,
}

impl Appender {
    /// On a connection that is open for writing and of this version's schema.
    pub fn new(connection: Connection) -> Result<Self, StoreError> {
        let head = read_head(&connection).map_err(engine("read the head of the log"))?;
        let envelopes = read_envelopes(&connection).map_err(engine("read the envelopes"))?;
        Ok(Self { connection, head, envelopes })
    }

    /// The last position that was appended here, or found in the file.
    pub fn head(&self) -> Position {
        self.head
    }

    /// Appends events in one transaction; when it returns they are on disk. After an error other
    /// than [`StoreError::Busy`] this appender no longer knows the file and is not to be used.
    ///
    /// Other processes may have appended since the last time.
    pub fn append(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.head = self.append_all(events)?;
        Ok(self.head)
    }

    /// Empties the WAL, so that what an idle ledger leaves behind is small and in one file.
    /// Nobody who reads is waited for: the next callback must not wait with us.
    pub fn tidy(&mut self) -> Result<(), StoreError> {
        let act = "empty the write-ahead log";
        let impatient = |connection: &Connection| {
            connection.busy_timeout(Duration::ZERO)?;
            let busy: rusqlite::Result<i64> =
                query_value(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
            connection.busy_timeout(BUSY_TIMEOUT)?;
            busy
        };
        match impatient(&self.connection).map_err(engine(act))? {
            0 => Ok(()),
            _ => Err(StoreError::Busy),
        }
    }

    fn append_all(&mut self, events: &[NewEvent]) -> Result<Position, StoreError> {
        let begun = Transaction::new(&mut self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => StoreError::Busy,
            _ => engine("append to the log")(error),
        })?;
        let head = read_head(&transaction).map_err(engine("append to the log"))?;
        if head != self.head {
            // Whoever appended them may have added envelopes too.
            self.envelopes = read_envelopes(&transaction).map_err(engine("append to the log"))?;
        }
        for (event, position) in events.iter().zip(head + 1..) {
            append_one(&transaction, &mut self.envelopes, event, position)
                .map_err(engine("append to the log"))?;
        }
        transaction.commit().map_err(engine("append to the log"))?;
        Ok(head + events.len() as Position)
    }
}

fn read_head(connection: &Connection) -> rusqlite::Result<Position> {
    let mut statement =
        connection.prepare_cached("SELECT coalesce(max(position), 0) FROM events")?;
    statement.query_row([], |row| row.get(0))
}

fn append_one(
    transaction: &Transaction<'_>,
    envelopes: &mut Envelopes,
    event: &NewEvent,
    position: Position,
) -> rusqlite::Result<()> {
    let (envelope, mut variables) = envelope::split(event);
    let envelope_id = match envelopes.ids.get(&envelope) {
        Some(id) => *id,
        None if envelopes.last_id >= ENVELOPES_MAX || !envelope.can_be_shared() => {
            variables = envelope::inline(&envelope, &variables);
            INLINE
        }
        None => {
            envelopes.last_id += 1;
            insert_envelope(transaction, envelopes.last_id, &envelope)?;
            envelopes.ids.insert(envelope.into_owned(), envelopes.last_id);
            envelopes.last_id
        }
    };
    transaction
        .prepare_cached(
            "INSERT INTO events(position, event_id, received_at, envelope, variables, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            position,
            event.event_id.as_bytes(),
            event.received_at.micros(),
            envelope_id,
            variables,
            event.body,
        ])?;
    Ok(())
}

fn insert_envelope(
    transaction: &Transaction<'_>,
    id: i64,
    envelope: &Envelope<'_>,
) -> rusqlite::Result<()> {
    let headers = serde_json::to_string(&envelope.headers).expect("a list of texts is JSON");
    transaction
        .prepare_cached(
            "INSERT INTO envelopes(id, source, method, url, verified_by, headers)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            id,
            envelope.source,
            envelope.method,
            envelope.url,
            envelope.verified_by,
            headers,
        ])?;
    Ok(())
}

/// One that cannot be read is shared by no further event; verify names those that have it.
fn read_envelopes(connection: &Connection) -> rusqlite::Result<Envelopes> {
    let mut statement = connection
        .prepare("SELECT id, source, method, url, verified_by, headers FROM envelopes")?;
    let mut rows = statement.query([])?;
    let mut envelopes = Envelopes::default();
    while let Some(row) = rows.next()? {
        envelopes.last_id = envelopes.last_id.max(row.get(0)?);
        if let Ok((id, envelope)) = super::read::envelope_row(row) {
            envelopes.ids.insert(envelope, id);
        }
    }
    Ok(envelopes)
}
