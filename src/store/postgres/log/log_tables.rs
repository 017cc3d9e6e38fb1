//! The open log: one connection that appends, a pool of readers, and reopening after an error.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use uuid::Uuid;

use crate::domain::event::Erased;
use crate::domain::{NewEvent, Position, RecordedEvent};
use crate::store::StoreError;
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::engine;
use crate::store::postgres::connect::pool::Readers;
use crate::store::postgres::connect::url::PostgresUrl;
use crate::store::postgres::log::append::{Appender, Last, read_id};
use crate::store::postgres::log::read::LogReader;
use crate::store::postgres::migrate;

/// An open log.
pub struct Log {
    url: PostgresUrl,
    ledger_id: Uuid,
    reader: LogReader,
    writing: Mutex<Writing>,
    /// See [`crate::store::Store::set_path_prefixes`].
    path_prefixes: RwLock<Vec<String>>,
}

/// The state of the write connection.
enum Writing {
    Open(Box<Appender>),
    /// Closed after an error, until the log is reopened; the last event that was acknowledged.
    Closed(Last),
    /// Never opened: the ledger is open read-only.
    Never,
}

impl Log {
    /// Opens the log for writing, creates it if it does not exist, and migrates it to this version. A new one
    /// gets this id.
    pub fn create(
        url: &PostgresUrl,
        readers: Readers,
        ledger_id: Option<Uuid>,
    ) -> Result<Self, StoreError> {
        let mut connection = Connection::open(url).map_err(engine("connect to PostgreSQL"))?;
        migrate::ledger(&mut connection, url)?;
        let act = "read the ledger's id";
        let ledger_id = migrate::ledger_id_or(&connection, ledger_id).map_err(engine(act))?;
        let writing = Writing::Open(Box::new(Appender::new(connection)?));
        Ok(Self::with(url, ledger_id, readers, writing))
    }

    /// Opens an existing log for writing, and migrates it to this version.
    pub fn open(url: &PostgresUrl, readers: Readers) -> Result<Self, StoreError> {
        open_as_it_is(&*readers.get()?, url)?;
        Self::create(url, readers, None)
    }

    /// Opens the log read-only, also while another process writes to it.
    pub fn open_for_reading(url: &PostgresUrl, readers: Readers) -> Result<Self, StoreError> {
        let ledger_id = {
            let connection = readers.get()?;
            open_as_it_is(&connection, url)?
        };
        Ok(Self::with(url, ledger_id, readers, Writing::Never))
    }

    /// Opens the log to append alongside the process that writes to it.
    pub fn open_for_appending(url: &PostgresUrl, readers: Readers) -> Result<Self, StoreError> {
        let connection = Connection::open(url).map_err(engine("connect to PostgreSQL"))?;
        let ledger_id = open_as_it_is(&connection, url)?;
        let writing = Writing::Open(Box::new(Appender::new(connection)?));
        Ok(Self::with(url, ledger_id, readers, writing))
    }

    fn with(url: &PostgresUrl, ledger_id: Uuid, readers: Readers, writing: Writing) -> Self {
        Self {
            url: url.clone(),
            ledger_id,
            reader: LogReader::new(readers),
            writing: Mutex::new(writing),
            path_prefixes: RwLock::default(),
        }
    }

    /// Where the log is.
    pub fn url(&self) -> &PostgresUrl {
        &self.url
    }

    /// The ledger's id.
    pub fn ledger_id(&self) -> Uuid {
        self.ledger_id
    }

    /// The readers, for short reads.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// See [`crate::store::Store::set_path_prefixes`].
    pub fn set_path_prefixes(&self, prefixes: Vec<String>) {
        *self.path_prefixes.write().unwrap_or_else(PoisonError::into_inner) = prefixes;
    }

    fn path_prefixes(&self) -> RwLockReadGuard<'_, Vec<String>> {
        self.path_prefixes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`crate::store::Store::append`].
    pub fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.write("cannot append", |appender| appender.append(events, &self.path_prefixes()))
    }

    /// See [`crate::store::Store::append_copies`].
    pub fn append_copies(
        &self,
        (position, id): (Position, Option<Uuid>),
        events: &[RecordedEvent],
    ) -> Result<Position, StoreError> {
        self.write("cannot append", |appender| {
            appender.append_copies(Last { position, id }, events, &self.path_prefixes())
        })
    }

    /// See [`crate::store::Store::add_erased`].
    pub fn add_erased(&self, erased: &[(Position, Erased)]) -> Result<(), StoreError> {
        self.write("cannot append", |appender| appender.add_erased(erased))
    }

    /// Fails if the write connection is closed. The twin of SQLite's check of files.
    pub fn check_connection(&self) -> Result<(), StoreError> {
        if let Writing::Never = *self.writing() {
            return Ok(());
        }
        self.write("cannot check the connection", |appender| {
            match appender.connection().is_closed() {
                false => Ok(()),
                true => Err(StoreError::NeedsReopen),
            }
        })
    }

    /// See [`crate::store::Store::reopen`].
    pub fn reopen(&self) -> Result<Position, StoreError> {
        let mut writing = self.writing();
        let last = match &*writing {
            Writing::Never => return Err(StoreError::ReadOnly("cannot open the log again")),
            Writing::Open(appender) => appender.last(),
            Writing::Closed(last) => *last,
        };
        *writing = Writing::Closed(last);
        let connection = Connection::open(&self.url).map_err(engine("connect to PostgreSQL"))?;
        self.refuse_other(&connection)?;
        let appender = Appender::new(connection)?;
        let act = "read the log";
        let found = read_id(appender.connection(), last.position).map_err(engine(act))?;
        if appender.last().position < last.position || found != last.id {
            return Err(self.lost(appender.last(), last));
        }
        let position = appender.last().position;
        *writing = Writing::Open(Box::new(appender));
        Ok(position)
    }

    fn lost(&self, found: Last, last: Last) -> StoreError {
        let detail = match found.position < last.position {
            true => format!(
                "it ends at position {}, and events up to {} were acknowledged",
                found.position, last.position
            ),
            false => format!("another event is at position {}", last.position),
        };
        StoreError::LostEvents { place: self.url.to_string(), detail }
    }

    fn refuse_other(&self, connection: &Connection) -> Result<(), StoreError> {
        let found = open_as_it_is(connection, &self.url)?;
        match found == self.ledger_id {
            true => Ok(()),
            false => Err(StoreError::NotALedger {
                place: self.url.to_string(),
                detail: format!("it was ledger {}, and now is {found}", self.ledger_id),
            }),
        }
    }

    /// Runs an operation on the connection for writing. An error closes the appender: it is then unknown what
    /// is durable.
    pub(super) fn write<T>(
        &self,
        act: &'static str,
        write: impl FnOnce(&mut Appender) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writing = self.writing();
        let appender = match &mut *writing {
            Writing::Open(appender) => appender,
            Writing::Closed(_) => return Err(StoreError::NeedsReopen),
            Writing::Never => return Err(StoreError::ReadOnly(act)),
        };
        let outcome = write(appender);
        match &outcome {
            Ok(_) | Err(StoreError::Busy | StoreError::OtherEnd { .. }) => {}
            Err(_) => *writing = Writing::Closed(appender.last()),
        }
        outcome
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        // A panic in the middle of an append leaves its connection in an unknown state; the next one fails.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of an existing ledger of this version.
fn open_as_it_is(connection: &Connection, url: &PostgresUrl) -> Result<Uuid, StoreError> {
    let act = "read the ledger's id";
    if !migrate::has_log(connection).map_err(engine(act))? {
        return Err(StoreError::NotFound { place: url.to_string() });
    }
    migrate::refuse_newer(connection, url)?;
    migrate::ledger_id(connection).map_err(engine(act))
}
