//! Appends events to the log: the only code that writes to it.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::domain::event::Erased;
use crate::domain::{NewEvent, Position, RecordedEvent, Source};
use crate::store::StoreError;
use crate::store::codec::envelope::{self, ENVELOPES_MAX, Envelope, INLINE};
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, engine};

/// The positions that one call of `create_partitions` provides for, at least.
const PARTITIONS_AHEAD: Position = 10_000_000;

/// Moves the head by the number of events and inserts them, in one round trip. The head's row is locked until
/// the commit, so appends of several processes follow each other. It does nothing if another process has erased
/// since the envelopes were read.
const APPEND: &str = "
    WITH head AS (
      UPDATE log_head SET position = position + $1, erasures = erasures + $9
      WHERE erasures = $8
      RETURNING position
    ), added AS (
      INSERT INTO events(position, received_at, event_id, envelope, salt, variables, body)
      SELECT head.position - $1 + e.place, e.received_at, e.event_id, e.envelope, e.salt, e.variables, e.body
      FROM head, unnest($2::bigint[], $3::uuid[], $4::integer[], $5::bytea[], $6::bytea[], $7::bytea[])
        WITH ORDINALITY e(received_at, event_id, envelope, salt, variables, body, place)
    )
    SELECT position FROM head";

/// The log's write connection, and its state.
pub struct Appender {
    pub(super) connection: Connection,
    last: Last,
    envelopes: Envelopes,
    /// The positions up to this one have partitions.
    partitioned_to: Position,
}

/// The last event of a log; `id` is `None` if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Last {
    pub position: Position,
    pub id: Option<Uuid>,
}

/// The envelopes in the log that further events can share.
#[derive(Default)]
struct Envelopes {
    ids: HashMap<Envelope<'static>, i32>,
    last_id: i32,
    /// How many transactions had erased events when they were read.
    erasures: i64,
}

/// The columns of events, each as an array.
#[derive(Default)]
pub(super) struct Columns<'e> {
    received_at: Vec<i64>,
    event_id: Vec<Uuid>,
    envelope: Vec<i32>,
    /// None for an erased event.
    salt: Vec<Option<&'e [u8]>>,
    variables: Vec<Vec<u8>>,
    body: Vec<&'e [u8]>,
}

impl Appender {
    /// Appends through a connection to a database that has this version's schema. Everything up to the last
    /// event is durable then.
    pub fn new(connection: Connection) -> Result<Self, StoreError> {
        let act = "read the head of the log";
        connection.wait_until_durable().map_err(engine(act))?;
        let last = read_last(&connection).map_err(engine(act))?;
        let envelopes = read_envelopes(&connection).map_err(engine("read the envelopes"))?;
        let mut appender = Self { connection, last, envelopes, partitioned_to: 0 };
        appender.create_partitions().map_err(engine("create partitions of the log"))?;
        Ok(appender)
    }

    /// The last event that was appended here or found in the log.
    pub fn last(&self) -> Last {
        self.last
    }

    /// The connection, for a check whether it still is one.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Appends events in one transaction, and returns once they are durable, on the standby too. Other
    /// processes may have appended since the last call.
    ///
    /// After an error other than [`StoreError::Busy`] the appender must not be used again.
    pub fn append(
        &mut self,
        events: &[NewEvent],
        path_prefixes: &[String],
    ) -> Result<Position, StoreError> {
        if events.is_empty() {
            return self.read_head();
        }
        let events: Vec<_> = events.iter().map(|event| (event, None)).collect();
        self.add(&events, path_prefixes)
    }

    /// See [`crate::store::Store::append_copies`].
    pub fn append_copies(
        &mut self,
        after: Last,
        events: &[RecordedEvent],
        path_prefixes: &[String],
    ) -> Result<Position, StoreError> {
        self.read_head()?;
        if self.last != after {
            return Err(StoreError::OtherEnd { position: after.position });
        }
        if events.is_empty() {
            return Ok(self.last.position);
        }
        let events: Vec<_> = events.iter().map(|copy| (&copy.event, copy.erased)).collect();
        self.add(&events, path_prefixes)
    }

    /// See [`crate::store::Store::add_erased`].
    pub fn add_erased(&mut self, erased: &[(Position, Erased)]) -> Result<(), StoreError> {
        let (mut positions, mut messages) = (Vec::new(), Vec::new());
        let (mut contents, mut erased_by) = (Vec::new(), Vec::new());
        for (position, remains) in erased {
            positions.push(*position as i64);
            messages.push(&remains.message[..]);
            contents.push(&remains.content[..]);
            erased_by.push(remains.erased_by as i64);
        }
        let sql = "INSERT INTO erased(position, message, content, erased_by)
             SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[])
             ON CONFLICT DO NOTHING";
        let outcome = self.connection.execute(sql, &[&positions, &messages, &contents, &erased_by]);
        outcome.map(|_rows| ()).map_err(engine("copy the erased events"))
    }

    /// Adds events, each with what an erasure has left of it, behind the last one.
    fn add(
        &mut self,
        events: &[(&NewEvent, Option<Erased>)],
        path_prefixes: &[String],
    ) -> Result<Position, StoreError> {
        loop {
            let columns =
                self.columns(events, path_prefixes).map_err(engine("append to the log"))?;
            self.connection.take_warning();
            let written = self.write(&columns, false);
            // It comes before the row: somebody has ended the wait for the standby, and the row is visible.
            self.connection.refuse_warning()?;
            if let Some(position) = written.map_err(engine("append to the log"))? {
                return self.written(events, position);
            }
            self.read_envelopes_again()?;
        }
    }

    /// Reads the envelopes again, of which another process has emptied some.
    pub(super) fn read_envelopes_again(&mut self) -> Result<(), StoreError> {
        self.envelopes = read_envelopes(&self.connection).map_err(engine("read the envelopes"))?;
        Ok(())
    }

    /// Notes that events were appended, of which the last is at this position.
    pub(super) fn written(
        &mut self,
        events: &[(&NewEvent, Option<Erased>)],
        position: Position,
    ) -> Result<Position, StoreError> {
        self.last = Last { position, id: events.last().map(|(event, _)| event.event_id) };
        if position + PARTITIONS_AHEAD / 2 > self.partitioned_to {
            self.create_partitions().map_err(engine("create partitions of the log"))?;
        }
        Ok(position)
    }

    fn read_head(&mut self) -> Result<Position, StoreError> {
        self.last = read_last(&self.connection).map_err(engine("read the head of the log"))?;
        Ok(self.last.position)
    }

    /// Writes events, and returns the position of the last; `None`, and writes nothing, if another process has
    /// erased since the envelopes were read.
    pub(super) fn write(
        &self,
        columns: &Columns<'_>,
        erases: bool,
    ) -> Result<Option<Position>, Failure> {
        let (count, erasures) = (columns.event_id.len() as i64, i64::from(erases));
        let parameters = columns.parameters(&count, &self.envelopes.erasures, &erasures);
        let row = self.connection.query_opt(APPEND, &parameters)?;
        row.map(|row| Ok(row.try_get::<_, i64>(0)? as Position)).transpose()
    }

    /// The columns of events; their envelopes are added.
    pub(super) fn columns<'e>(
        &mut self,
        events: &[(&'e NewEvent, Option<Erased>)],
        path_prefixes: &[String],
    ) -> Result<Columns<'e>, Failure> {
        let mut columns = Columns::default();
        for (event, erased) in events {
            self.add_event(&mut columns, event, *erased, path_prefixes)?;
        }
        Ok(columns)
    }

    /// Adds an event, or what an erasure has left of it, to the columns.
    fn add_event<'e>(
        &mut self,
        columns: &mut Columns<'e>,
        event: &'e NewEvent,
        erased: Option<Erased>,
        path_prefixes: &[String],
    ) -> Result<(), Failure> {
        let (envelope, mut variables) = envelope::split(event, path_prefixes);
        if erased.is_some() {
            variables.clear();
        }
        // The schema recognises an erasure by its envelope, so it always has one: they share it.
        let must_share = event.source == Source::Erasure;
        let (id, variables) = self.place(envelope, variables, must_share)?;
        columns.received_at.push(event.received_at.micros());
        columns.event_id.push(event.event_id);
        columns.envelope.push(id);
        columns.salt.push(erased.is_none().then(|| &event.salt.as_bytes()[..]));
        columns.variables.push(variables);
        columns.body.push(&event.body);
        Ok(())
    }

    /// The id of an envelope, which is added unless there are too many, and an event's variables: they contain
    /// the envelope if it cannot be shared.
    pub(super) fn place(
        &mut self,
        envelope: Envelope<'_>,
        variables: Vec<u8>,
        must_share: bool,
    ) -> Result<(i32, Vec<u8>), Failure> {
        if let Some(id) = self.envelopes.ids.get(&envelope) {
            return Ok((*id, variables));
        }
        let are_too_many = i64::from(self.envelopes.last_id) >= ENVELOPES_MAX;
        match !must_share && (are_too_many || !envelope.can_be_shared()) {
            true => Ok((INLINE as i32, envelope::inline(&envelope, &variables))),
            false => Ok((self.add_envelope(envelope)?, variables)),
        }
    }

    /// Stores an envelope in a transaction of its own: without events it is harmless, and two processes that
    /// add the same one must not wait for each other's events.
    fn add_envelope(&mut self, envelope: Envelope<'_>) -> Result<i32, Failure> {
        let bytes = serde_json::to_vec(&envelope).expect("an envelope is JSON");
        let source: &str = &envelope.source;
        let added = self.connection.query_opt(
            "INSERT INTO envelopes(source, envelope) VALUES ($1, $2)
             ON CONFLICT (sha256(envelope)) DO NOTHING
             RETURNING id",
            &[&source, &bytes],
        )?;
        let row = match added {
            Some(row) => row,
            None => self.connection.query_one(
                "SELECT id FROM envelopes WHERE sha256(envelope) = sha256($1::bytea)",
                &[&bytes],
            )?,
        };
        let id = row.try_get(0)?;
        self.envelopes.last_id = self.envelopes.last_id.max(id);
        self.envelopes.ids.insert(envelope.into_owned(), id);
        Ok(id)
    }

    /// Creates the partitions that the next events need, ahead of time.
    fn create_partitions(&mut self) -> Result<(), Failure> {
        let head = self.last.position;
        self.connection.execute("SELECT create_partitions($1)", &[&(head as i64)])?;
        self.partitioned_to = head + PARTITIONS_AHEAD;
        Ok(())
    }
}

impl Columns<'_> {
    fn parameters<'p>(
        &'p self,
        count: &'p i64,
        erasures: &'p i64,
        further: &'p i64,
    ) -> [&'p (dyn ToSql + Sync); 9] {
        [
            count,
            &self.received_at,
            &self.event_id,
            &self.envelope,
            &self.salt,
            &self.variables,
            &self.body,
            erasures,
            further,
        ]
    }
}

/// The last event of a log.
pub fn read_last(connection: &Connection) -> Result<Last, Failure> {
    let row = connection.query_one(
        "SELECT log_head.position, event_id
         FROM log_head LEFT JOIN events USING (position)",
        &[],
    )?;
    Ok(Last { position: row.try_get::<_, i64>(0)? as Position, id: row.try_get(1)? })
}

/// The id of the event at a position; `None` if there is none.
pub fn read_id(connection: &Connection, position: Position) -> Result<Option<Uuid>, Failure> {
    let sql = "SELECT event_id FROM events WHERE position = $1";
    let row = connection.query_opt(sql, &[&(position as i64)])?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Reads the shared envelopes. An unreadable one is not shared further; `verify` reports the events that have it.
fn read_envelopes(connection: &Connection) -> Result<Envelopes, Failure> {
    // Before the envelopes, so that an erasure between the two is noticed.
    let erasures = connection.query_one("SELECT erasures FROM log_head", &[])?.try_get(0)?;
    let mut envelopes = Envelopes { erasures, ..Envelopes::default() };
    for row in connection.query("SELECT id, envelope FROM envelopes", &[])? {
        let id: i32 = row.try_get(0)?;
        envelopes.last_id = envelopes.last_id.max(id);
        if let Ok(envelope) = serde_json::from_slice::<Envelope<'static>>(row.try_get(1)?) {
            envelopes.ids.insert(envelope, id);
        }
    }
    Ok(envelopes)
}
