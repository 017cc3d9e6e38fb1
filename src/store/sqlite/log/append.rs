//! Appends events to the log: the only code that writes to it.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;
use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};
use uuid::Uuid;

use crate::domain::event::Erased;
use crate::domain::{NewEvent, Position, RecordedEvent, Source};
use crate::store::StoreError;
use crate::store::codec::envelope::{self, ENVELOPES_MAX, Envelope, INLINE};
use crate::store::sqlite::engine;
use crate::store::sqlite::files::connect::BUSY_TIMEOUT;
use crate::store::sqlite::files::watch::{Damage, Watch};
use crate::store::sqlite::query_value;

/// The log's write connection, and its state.
pub struct Appender {
    pub(super) connection: Connection,
    last: Last,
    /// The last event when this connection was opened.
    base: Last,
    envelopes: Envelopes,
}

/// The last event of a log; `id` is `None` if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Last {
    pub position: Position,
    pub id: Option<Uuid>,
}

/// The envelopes in the log that further events can share.
#[derive(Default)]
pub(super) struct Envelopes {
    ids: HashMap<Envelope<'static>, i64, RandomState>,
    last_id: i64,
}

/// What else a transaction does after its events, of which the last is at this position.
pub(super) type Afterwards<'a> =
    &'a dyn Fn(&Transaction<'_>, &mut Envelopes, Position) -> rusqlite::Result<()>;

/// Nothing else.
const NOTHING: Afterwards<'static> = &|_, _, _| Ok(());

impl Appender {
    /// Appends through a connection whose file has this version's schema.
    pub fn new(connection: Connection) -> Result<Self, StoreError> {
        let last = read_last(&connection).map_err(engine("read the head of the log"))?;
        let envelopes = read_envelopes(&connection).map_err(engine("read the envelopes"))?;
        Ok(Self { connection, last, base: last, envelopes })
    }

    /// The last event that was appended here or found in the file.
    pub fn last(&self) -> Last {
        self.last
    }

    /// The connection, for what is kept with the log and is no event.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The last event when the connection was opened.
    pub fn base(&self) -> Last {
        self.base
    }

    /// Appends events in one transaction, and returns once they are on disk and the files were checked. Other
    /// processes may have appended since the last call.
    ///
    /// After an error other than [`StoreError::Busy`] the appender must not be used again.
    pub fn append(
        &mut self,
        events: &[NewEvent],
        path_prefixes: &[String],
        watch: &mut Watch,
    ) -> Result<Position, StoreError> {
        let events: Vec<_> = events.iter().map(|event| (event, None)).collect();
        self.write(None, &events, path_prefixes, watch, NOTHING)
    }

    /// See [`crate::store::Store::append_copies`].
    pub fn append_copies(
        &mut self,
        after: Last,
        events: &[RecordedEvent],
        path_prefixes: &[String],
        watch: &mut Watch,
    ) -> Result<Position, StoreError> {
        let events: Vec<_> = events.iter().map(|copy| (&copy.event, copy.erased)).collect();
        self.write(Some(after), &events, path_prefixes, watch, NOTHING)
    }

    /// See [`crate::store::Store::add_erased`].
    pub fn add_erased(&mut self, erased: &[(Position, Erased)]) -> Result<(), StoreError> {
        let act = "copy the erased events";
        let transaction = begin(&mut self.connection)?;
        let add = || {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO erased(position, message, content, erased_by)
                 SELECT ?1, ?2, ?3, ?4
                 WHERE NOT EXISTS (SELECT 1 FROM erased WHERE position = ?1)",
            )?;
            for (position, Erased { message, content, erased_by }) in erased {
                insert.execute(params![position, message, content, erased_by])?;
            }
            Ok(())
        };
        add().map_err(engine(act))?;
        transaction.commit().map_err(engine(act))
    }

    /// Appends events, each with what an erasure has left of it. If a last event is given, it has to be the last
    /// one of the log.
    pub(super) fn write(
        &mut self,
        after: Option<Last>,
        events: &[(&NewEvent, Option<Erased>)],
        path_prefixes: &[String],
        watch: &mut Watch,
        afterwards: Afterwards<'_>,
    ) -> Result<Position, StoreError> {
        let transaction = begin(&mut self.connection)?;
        let head = read_head(&transaction).map_err(engine("append to the log"))?;
        if let Some(after) = after
            && read_last(&transaction).map_err(engine("append to the log"))? != after
        {
            return Err(StoreError::OtherEnd { position: after.position });
        }
        if head != self.last.position {
            let found = read_last(&transaction).map_err(engine("append to the log"))?;
            check_last(&transaction, self.last, found, watch)?;
            // The process that appended them may have added envelopes, too, or emptied some: an erasure always
            // appends an event.
            self.envelopes = read_envelopes(&transaction).map_err(engine("append to the log"))?;
        }
        let rows = events.iter().map(|(event, erased)| NewRow::new(event, *erased, path_prefixes));
        insert_events(&transaction, &mut self.envelopes, rows.zip(head + 1..))
            .map_err(engine("append to the log"))?;
        let last = head + events.len() as Position;
        afterwards(&transaction, &mut self.envelopes, last).map_err(engine("append to the log"))?;
        watch.examine()?;
        // Returns after the fsync: `synchronous` is FULL, see `files::connect`.
        transaction.commit().map_err(engine("append to the log"))?;
        if !watch.glance_after_commit() {
            self.examine_committed(watch)?;
        }
        if let Some((event, _)) = events.last() {
            self.last = Last { position: last, id: Some(event.event_id) };
        }
        Ok(self.last.position)
    }

    /// Checks the files while SQLite's lock keeps other processes from writing to them.
    pub fn examine(&mut self, watch: &mut Watch) -> Result<(), StoreError> {
        let transaction = begin(&mut self.connection)?;
        let found = read_last(&transaction).map_err(engine("read the log"))?;
        check_last(&transaction, self.last, found, watch)?;
        watch.examine()
    }

    /// Checks the files after a commit, which cannot be repeated.
    fn examine_committed(&mut self, watch: &mut Watch) -> Result<(), StoreError> {
        let transaction = begin(&mut self.connection).map_err(|error| match error {
            StoreError::Busy => StoreError::Engine {
                act: "check the files after a commit".to_owned(),
                cause: Box::new(error),
            },
            error => error,
        })?;
        watch.examine()?;
        drop(transaction);
        Ok(())
    }

    /// Keeps SQLite from moving a damaged WAL into the database when it closes.
    pub fn close_as_it_is(self) {
        let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let _ = self.connection.set_db_config(no_checkpoint, true);
    }

    /// Empties the WAL, so that an idle ledger is a single file. It does not wait for readers, because the
    /// next callback would wait too.
    pub fn checkpoint_wal(&mut self) -> Result<(), StoreError> {
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
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    let begun = Transaction::new(connection, TransactionBehavior::Immediate);
    begun.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => StoreError::Busy,
        _ => engine("append to the log")(error),
    })
}

/// Fails if the event that was last is no longer at its position: a log only grows.
fn check_last(
    connection: &Connection,
    last: Last,
    found: Last,
    watch: &Watch,
) -> Result<(), StoreError> {
    let id = read_id(connection, last.position).map_err(engine("read the log"))?;
    match id == last.id {
        true => Ok(()),
        false => Err(watch.damaged(Damage {
            detail: format!(
                "it ends at position {}, and had another event at position {}",
                found.position, last.position
            ),
            in_database: true,
        })),
    }
}

/// The last event of a log.
pub fn read_last(connection: &Connection) -> rusqlite::Result<Last> {
    let position = read_head(connection)?;
    Ok(Last { position, id: read_id(connection, position)? })
}

/// The id of the event at a position; `None` if there is none.
pub fn read_id(connection: &Connection, position: Position) -> rusqlite::Result<Option<Uuid>> {
    let mut statement =
        connection.prepare_cached("SELECT event_id FROM events WHERE position = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([position], |row| row.get(0)).optional()?;
    Ok(bytes.and_then(|bytes| Uuid::from_slice(&bytes).ok()))
}

fn read_head(connection: &Connection) -> rusqlite::Result<Position> {
    let mut statement =
        connection.prepare_cached("SELECT coalesce(max(position), 0) FROM events")?;
    statement.query_row([], |row| row.get(0))
}

/// An event on its way into the table.
struct NewRow<'e> {
    event: &'e NewEvent,
    /// `None` if the event is erased.
    salt: Option<&'e [u8]>,
    envelope: Envelope<'e>,
    variables: Vec<u8>,
}

impl<'e> NewRow<'e> {
    fn new(event: &'e NewEvent, erased: Option<Erased>, path_prefixes: &[String]) -> Self {
        let (envelope, mut variables) = envelope::split(event, path_prefixes);
        if erased.is_some() {
            variables.clear();
        }
        let salt = erased.is_none().then(|| &event.salt.as_bytes()[..]);
        Self { event, salt, envelope, variables }
    }
}

impl Envelopes {
    /// The id of an envelope, which is added unless there are too many, and an event's variables: they contain
    /// the envelope if it cannot be shared.
    pub(super) fn place(
        &mut self,
        transaction: &Transaction<'_>,
        envelope: Envelope<'_>,
        variables: Vec<u8>,
        must_share: bool,
    ) -> rusqlite::Result<(i64, Vec<u8>)> {
        if let Some(id) = self.ids.get(&envelope) {
            return Ok((*id, variables));
        }
        if !must_share && (self.last_id >= ENVELOPES_MAX || !envelope.can_be_shared()) {
            return Ok((INLINE, envelope::inline(&envelope, &variables)));
        }
        self.last_id += 1;
        insert_envelope(transaction, self.last_id, &envelope)?;
        self.ids.insert(envelope.into_owned(), self.last_id);
        Ok((self.last_id, variables))
    }
}

/// Inserts events at their positions.
fn insert_events<'e>(
    transaction: &Transaction<'_>,
    envelopes: &mut Envelopes,
    rows: impl Iterator<Item = (NewRow<'e>, Position)>,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events(position, event_id, received_at, salt, envelope, variables, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (NewRow { event, salt, envelope, variables }, position) in rows {
        // The schema recognises an erasure by its envelope, so it always has one: they share it.
        let must_share = event.source == Source::Erasure;
        let (envelope_id, variables) =
            envelopes.place(transaction, envelope, variables, must_share)?;
        insert.execute(params![
            position,
            event.event_id.as_bytes(),
            event.received_at.micros(),
            salt,
            envelope_id,
            variables,
            event.body,
        ])?;
    }
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

/// Reads the shared envelopes. An unreadable one is not shared further; `verify` reports the events that have it.
fn read_envelopes(connection: &Connection) -> rusqlite::Result<Envelopes> {
    let mut statement = connection
        .prepare("SELECT id, source, method, url, verified_by, headers FROM envelopes")?;
    let mut rows = statement.query([])?;
    let mut envelopes = Envelopes::default();
    while let Some(row) = rows.next()? {
        envelopes.last_id = envelopes.last_id.max(row.get(0)?);
        if let Ok((id, envelope)) = crate::store::sqlite::log::read::envelope_row(row) {
            envelopes.ids.insert(envelope, id);
        }
    }
    Ok(envelopes)
}
