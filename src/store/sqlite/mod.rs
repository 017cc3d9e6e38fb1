//! The embedded engine: two SQLite files, `ledger.db` for the log and `ledger.views.db` beside it.

mod append;
mod check;
pub mod connect;
pub mod copy;
mod envelope;
mod in_place;
pub mod leftover;
pub mod lock;
mod log;
mod message_row;
mod migrate;
mod packed;
mod pending;
mod place;
mod read;
mod view_read;
mod view_write;
mod views;
mod wal;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use uuid::Uuid;

use self::lock::Lock;
use self::log::Log;
use self::views::SqliteViews;
use super::open::WalCheckpoints;
use super::{Access, Checked, Damage, Store, StoreError, Views};
use crate::domain::{NewEvent, Position, RecordedEvent, Rule};

/// A ledger in two files.
pub struct SqliteStore {
    log: Log,
    views: SqliteViews,
    /// Held as long as the store is, also while the log is opened again: dropped last, it lets the
    /// next writer in.
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
        let log = Log::open(path, wal_checkpoints)?;
        let views_path = views_path(path);
        if without_views {
            views::remove(&views_path)?;
        }
        connect::make_file(&views_path)?;
        let views = SqliteViews::open(&views_path, log.ledger_id())?;
        Ok(Self { log, views, _lock: Some(lock) })
    }

    fn open_for_reading(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::NotThere { path: path.to_owned() });
        }
        let log = Log::open_for_reading(path)?;
        let views = SqliteViews::open_for_reading(&views_path(path), log.ledger_id())?;
        Ok(Self { log, views, _lock: None })
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
        self.log.ledger_id()
    }

    fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.log.append(events)
    }

    fn in_place(&self) -> Result<(), StoreError> {
        self.log.in_place()
    }

    fn tidy(&self) -> Result<(), StoreError> {
        self.log.tidy()
    }

    fn reopen(&self) -> Result<Position, StoreError> {
        self.log.reopen()
    }

    fn head(&self) -> Result<Position, StoreError> {
        self.log.reader().head()
    }

    fn scan(
        &self,
        after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.log.reader().scan(after, limit, each)
    }

    fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        self.log.reader().read_at(positions)
    }

    fn check(&self) -> Result<Checked, StoreError> {
        self.log.reader().with_connection(|log| check::log(log, wal::BEHIND_A_CHECK_BYTES_MAX))
    }

    fn check_guards(&self) -> Result<Vec<Damage>, StoreError> {
        self.log.reader().with_connection(check::guards)
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
        Ok(Box::new(SqliteViews::scratch(self.log.ledger_id(), rule)?))
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
