//! The embedded engine: two SQLite files, `ledger.db` for the log and `ledger.views.db` beside it.

mod append;
mod check;
pub mod connect;
pub mod copy;
mod envelope;
mod in_place;
pub mod leftover;
pub mod lock;
mod message_row;
mod migrate;
mod packed;
mod place;
mod read;
mod view_read;
mod view_write;
mod views;
mod wal;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use uuid::Uuid;

use self::append::Appender;
use self::connect::Readers;
use self::lock::Lock;
use self::read::LogReader;
use self::views::SqliteViews;
use super::open::WalCheckpoints;
use super::{Access, Checked, Damage, Store, StoreError, Views};
use crate::domain::{NewEvent, Position, RecordedEvent, Rule};

/// A ledger in two files.
pub struct SqliteStore {
    ledger_id: Uuid,
    reader: LogReader,
    /// Nothing where the ledger was opened for reading only.
    appender: Option<Mutex<Appender>>,
    views: SqliteViews,
    wal_checkpoints: WalCheckpoints,
    /// Held as long as the store is: dropped last, it lets the next writer in.
    _lock: Option<Lock>,
}

impl SqliteStore {
    /// Opens the log at this path and the views beside it.
    pub fn open(
        path: &Path,
        access: Access,
        wal_checkpoints: WalCheckpoints,
    ) -> Result<Self, StoreError> {
        let path = &place::behind_link(path);
        match access {
            Access::Read => Self::open_for_reading(path),
            Access::Write | Access::WriteAnew if !path.exists() => {
                Err(StoreError::NotThere { path: path.to_path_buf() })
            }
            Access::Write | Access::Create => Self::open_for_writing(path, false, wal_checkpoints),
            Access::WriteAnew => Self::open_for_writing(path, true, wal_checkpoints),
        }
    }

    fn open_for_writing(
        path: &Path,
        without_views: bool,
        wal_checkpoints: WalCheckpoints,
    ) -> Result<Self, StoreError> {
        connect::make_folder(path)?;
        let lock = Lock::acquire(path)?;
        leftover::refuse_orphaned_wal(path)?;
        connect::make_file(path)?;
        place::refuse_other_names(path)?;
        place::warn_of_network(path);
        leftover::refuse_foreign_wal(path)?;
        let mut log = connect::log_for_writing(path, wal_checkpoints)?;
        migrate::log(&mut log, path)?;
        let ledger_id = migrate::ledger_id(&log, path)?;
        let views_path = views_path(path);
        if without_views {
            views::remove(&views_path)?;
        }
        connect::make_file(&views_path)?;
        Ok(Self {
            ledger_id,
            reader: LogReader::new(Readers::of(path)?),
            appender: Some(Mutex::new(Appender::new(log, path)?)),
            views: SqliteViews::open(&views_path, ledger_id)?,
            wal_checkpoints,
            _lock: Some(lock),
        })
    }

    fn open_for_reading(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::NotThere { path: path.to_owned() });
        }
        let log = connect::for_reading(path)?;
        migrate::refuse_newer(&log, path)?;
        migrate::refuse_empty(&log, path)?;
        let ledger_id = migrate::ledger_id(&log, path)?;
        Ok(Self {
            ledger_id,
            reader: LogReader::new(Readers::of(path)?),
            appender: None,
            views: SqliteViews::open_for_reading(&views_path(path), ledger_id)?,
            wal_checkpoints: WalCheckpoints::External,
            _lock: None,
        })
    }
}

/// `ledger.db` has its views in `ledger.views.db`.
fn views_path(log: &Path) -> PathBuf {
    match log.extension() {
        Some(extension) => {
            let mut name = std::ffi::OsString::from("views.");
            name.push(extension);
            log.with_extension(name)
        }
        None => log.with_extension("views"),
    }
}

impl Store for SqliteStore {
    fn ledger_id(&self) -> Uuid {
        self.ledger_id
    }

    fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        let appender = self.appender.as_ref().ok_or(StoreError::ReadOnly("cannot append"))?;
        // A panic in the middle of a transaction leaves it open; SQLite refuses the next BEGIN.
        appender.lock().unwrap_or_else(PoisonError::into_inner).append(events)
    }

    fn in_place(&self) -> Result<(), StoreError> {
        let appender = self.appender.as_ref().ok_or(StoreError::ReadOnly("nothing is written"))?;
        appender.lock().unwrap_or_else(PoisonError::into_inner).in_place()
    }

    fn tidy(&self) -> Result<(), StoreError> {
        if self.wal_checkpoints == WalCheckpoints::External {
            return Ok(());
        }
        let appender = self.appender.as_ref().ok_or(StoreError::ReadOnly("cannot tidy up"))?;
        appender.lock().unwrap_or_else(PoisonError::into_inner).tidy()
    }

    fn head(&self) -> Result<Position, StoreError> {
        self.reader.head()
    }

    fn scan(
        &self,
        after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.reader.scan(after, limit, each)
    }

    fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reader.read_at(positions)
    }

    fn check(&self) -> Result<Checked, StoreError> {
        self.reader.with_connection(|log| check::log(log, wal::BEHIND_A_CHECK_BYTES_MAX))
    }

    fn check_guards(&self) -> Result<Vec<Damage>, StoreError> {
        self.reader.with_connection(check::guards)
    }

    fn views(&self) -> &dyn Views {
        &self.views
    }

    fn shadow(&self, rule: Rule) -> Result<Box<dyn Views + '_>, StoreError> {
        Ok(Box::new(self.views.shadow(rule)?))
    }

    fn swap(&self) -> Result<(), StoreError> {
        self.views.swap()
    }

    fn scratch(&self, rule: Rule) -> Result<Box<dyn Views>, StoreError> {
        Ok(Box::new(SqliteViews::scratch(self.ledger_id, rule)?))
    }
}

/// Says what was being done when SQLite failed.
fn engine(act: &str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
    let act = act.to_owned();
    move |source| StoreError::Engine { act, cause: Box::new(source) }
}

/// A prepared read of one value.
fn query_value<T: rusqlite::types::FromSql>(
    connection: &Connection,
    sql: &str,
) -> rusqlite::Result<T> {
    connection.query_row(sql, [], |row| row.get(0))
}
