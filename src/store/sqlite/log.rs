//! The log's file, open: one connection that appends, a pool that reads, and how it is opened again
//! after an error.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use uuid::Uuid;

use super::append::Appender;
use super::connect::{self, Readers};
use super::in_place::InPlace;
use super::read::LogReader;
use super::{leftover, migrate};
use crate::domain::{NewEvent, Position};
use crate::store::StoreError;
use crate::store::open::WalCheckpoints;

/// See the module.
pub struct Log {
    path: PathBuf,
    ledger_id: Uuid,
    /// Closed before the write connection, which alone can empty the WAL when it is the last.
    reader: LogReader,
    writing: Mutex<Writing>,
    files: InPlace,
    wal_checkpoints: WalCheckpoints,
}

/// What has become of the write connection.
enum Writing {
    Open(Box<Appender>),
    /// Closed by an error, until the log has been opened again.
    Closed,
    /// Never there: the ledger was opened for reading only.
    Never,
}

impl Log {
    /// Opens the log for writing, and makes it of this version.
    pub fn open(path: &Path, wal_checkpoints: WalCheckpoints) -> Result<Self, StoreError> {
        let mut connection = connect::log_for_writing(path, wal_checkpoints)?;
        migrate::log(&mut connection, path)?;
        let ledger_id = migrate::ledger_id(&connection, path)?;
        let log = Self::with(
            path,
            ledger_id,
            Writing::Open(Box::new(Appender::new(connection)?)),
            wal_checkpoints,
        )?;
        // One reader is there from the beginning, for the sake of `reopen`.
        log.reader.head()?;
        Ok(log)
    }

    /// Opens the log as another process keeps it.
    pub fn open_for_reading(path: &Path) -> Result<Self, StoreError> {
        let (_, ledger_id) = open_as_it_is(path, connect::for_reading)?;
        Self::with(path, ledger_id, Writing::Never, WalCheckpoints::External)
    }

    /// The same, to append to it beside that process.
    pub fn open_for_appending(
        path: &Path,
        wal_checkpoints: WalCheckpoints,
    ) -> Result<Self, StoreError> {
        let open = |path: &Path| connect::log_beside(path, wal_checkpoints);
        let (connection, ledger_id) = open_as_it_is(path, open)?;
        let appender = Box::new(Appender::new(connection)?);
        Self::with(path, ledger_id, Writing::Open(appender), wal_checkpoints)
    }

    fn with(
        path: &Path,
        ledger_id: Uuid,
        writing: Writing,
        wal_checkpoints: WalCheckpoints,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            ledger_id,
            reader: LogReader::new(Readers::of(path)?),
            writing: Mutex::new(writing),
            files: InPlace::of(path),
            wal_checkpoints,
        })
    }

    /// Where the log lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells this ledger from every other.
    pub fn ledger_id(&self) -> Uuid {
        self.ledger_id
    }

    /// The readers, for the length of a short read.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// See [`crate::store::Store::append`].
    pub fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.write("cannot append", |appender| {
            let head = appender.append(events)?;
            // On disk is not enough: it has to be where it is looked for.
            self.files.check()?;
            Ok(head)
        })
    }

    /// See [`crate::store::Store::in_place`].
    pub fn in_place(&self) -> Result<(), StoreError> {
        self.files.check()
    }

    /// See [`crate::store::Store::tidy`].
    pub fn tidy(&self) -> Result<(), StoreError> {
        match self.wal_checkpoints {
            WalCheckpoints::Own => self.write("cannot tidy up", Appender::tidy),
            WalCheckpoints::External => Ok(()),
        }
    }

    /// See [`crate::store::Store::reopen`].
    ///
    /// The readers stay open. What they see was synced before anybody could see it, they write
    /// nothing, and on a disk that is still full they could not be opened again: the WAL's index
    /// goes with the last connection, and making it takes room.
    pub fn reopen(&self) -> Result<Position, StoreError> {
        let mut writing = self.writing();
        if let Writing::Never = *writing {
            return Err(StoreError::ReadOnly("cannot open the log again"));
        }
        *writing = Writing::Closed;
        self.files.check()?;
        connect::find_room_beside(&self.path)?;
        let connection = connect::log_for_writing(&self.path, self.wal_checkpoints)?;
        let found = migrate::ledger_id(&connection, &self.path)?;
        if found != self.ledger_id {
            return Err(StoreError::NotALedger {
                path: self.path.clone(),
                detail: format!("it was ledger {}, and now is {found}", self.ledger_id),
            });
        }
        let appender = Appender::new(connection)?;
        let head = appender.head();
        *writing = Writing::Open(Box::new(appender));
        Ok(head)
    }

    /// Lets the appender write. An error closes it: the kernel may have marked pages clean that
    /// never reached the disk, and nothing is to build on what it believes to be there.
    fn write<T>(
        &self,
        act: &'static str,
        write: impl FnOnce(&mut Appender) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writing = self.writing();
        let appender = match &mut *writing {
            Writing::Open(appender) => appender,
            Writing::Closed => return Err(StoreError::Closed),
            Writing::Never => return Err(StoreError::ReadOnly(act)),
        };
        let outcome = write(appender);
        if !matches!(outcome, Ok(_) | Err(StoreError::Busy)) {
            *writing = Writing::Closed;
        }
        outcome
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        // A panic in the middle of a transaction leaves it open; SQLite refuses the next BEGIN.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection to a log that is there already and of this version, and the ledger's id.
fn open_as_it_is(
    path: &Path,
    open: impl FnOnce(&Path) -> Result<Connection, StoreError>,
) -> Result<(Connection, Uuid), StoreError> {
    if leftover::is_half_made(path) {
        return Err(migrate::empty(path));
    }
    let connection = open(path)?;
    migrate::refuse_newer(&connection, path)?;
    migrate::refuse_empty(&connection, path)?;
    let ledger_id = migrate::ledger_id(&connection, path)?;
    Ok((connection, ledger_id))
}
