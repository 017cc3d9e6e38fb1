//! The embedded engine: two SQLite files, `ledger.db` for the log and `ledger.views.db` beside it.

pub mod files;
pub mod log;
mod migrate;
pub mod quarantine;
mod views;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use uuid::Uuid;

use self::files::lock::{Lock, WriterLock};
use self::log::log_file::Log;
use self::views::rebuild::SqliteRebuild;
use self::views::views_file::SqliteViews;
use super::{
    Access, Checked, Damage, Kept, Rebuild, Sizes, Store, StoreError, Views, WalCheckpoints,
};
use crate::domain::{NewEvent, Position, RecordedEvent, Rule};

/// A ledger in two files.
pub struct SqliteStore {
    log: Log,
    views: SqliteViews,
    views_path: PathBuf,
    /// Held as long as the store is, also while the log is opened again: dropped last, it lets the
    /// next writer in.
    _lock: Option<WriterLock>,
}

impl SqliteStore {
    /// Opens the log at this path, which is no link, and the views beside it.
    pub fn open(
        path: &Path,
        access: Access,
        wal_checkpoints: WalCheckpoints,
    ) -> Result<Self, StoreError> {
        self::files::paths::refuse_folder(path)?;
        match access {
            Access::Create => Self::open_for_writing(path, false, wal_checkpoints),
            _ if !path.exists() => Err(StoreError::NotFound { path: path.to_owned() }),
            Access::Read => {
                refuse_unsafe_to_read(path)?;
                Self::open_shared(Log::open_for_reading(path)?, SqliteViews::open_for_reading)
            }
            Access::Replay => {
                refuse_unsafe_to_read(path)?;
                Self::open_shared(Log::open_for_reading(path)?, SqliteViews::open_beside)
            }
            Access::Append => {
                refuse_unsafe_to_read(path)?;
                let log = Log::open_for_appending(path, wal_checkpoints)?;
                Self::open_shared(log, SqliteViews::open_for_reading)
            }
            Access::Write => Self::open_for_writing(path, false, wal_checkpoints),
            Access::WriteDiscardingViews => Self::open_for_writing(path, true, wal_checkpoints),
        }
    }

    fn open_for_writing(
        path: &Path,
        without_views: bool,
        wal_checkpoints: WalCheckpoints,
    ) -> Result<Self, StoreError> {
        self::files::connect::make_folder(path)?;
        let name = Lock::acquire(path)?;
        self::files::paths::refuse_orphaned_wal(path)?;
        let lock = WriterLock::acquire(path, name)?;
        self::files::connect::sync_folder_of(path)?;
        self::files::paths::refuse_other_names(path)?;
        self::files::paths::warn_of_network(path);
        self::files::wal_ownership::refuse_foreign_wal(path)?;
        let log = Log::open(path, wal_checkpoints)?;
        let views_path = views_path(path);
        if without_views {
            self::views::views_file::remove(&views_path)?;
        }
        self::files::connect::make_file(&views_path)?;
        let views = SqliteViews::open(&views_path, log.ledger_id())?;
        Ok(Self { log, views, views_path, _lock: Some(lock) })
    }

    /// Beside whoever appends and projects.
    fn open_shared(
        log: Log,
        open_views: impl FnOnce(&Path, Uuid) -> Result<SqliteViews, StoreError>,
    ) -> Result<Self, StoreError> {
        let views_path = views_path(log.path());
        let views = open_views(&views_path, log.ledger_id())?;
        Ok(Self { log, views, views_path, _lock: None })
    }
}

/// Refuses, without the lock, a log that would be read without its write-ahead log, or with another's.
fn refuse_unsafe_to_read(path: &Path) -> Result<(), StoreError> {
    self::files::inspect::refuse_other_names_in_use(path)?;
    self::files::wal_ownership::refuse_foreign_wal_at_rest(path)
}

/// `ledger.db` has its views in `ledger.views.db`.
pub fn views_path(log: &Path) -> PathBuf {
    sibling(log, "views")
}

/// A file beside the log that is named after it.
fn sibling(log: &Path, what: &str) -> PathBuf {
    match log.extension() {
        Some(extension) => {
            let mut name = std::ffi::OsString::from(format!("{what}."));
            name.push(extension);
            log.with_extension(name)
        }
        None => log.with_extension(what),
    }
}

impl Store for SqliteStore {
    fn ledger_id(&self) -> Uuid {
        self.log.ledger_id()
    }

    fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.log.append(events)
    }

    fn check_files_unmoved(&self) -> Result<(), StoreError> {
        self.log.check_files_unmoved()
    }

    fn checkpoint_wal(&self) -> Result<(), StoreError> {
        self.log.checkpoint_wal()
    }

    fn reopen(&self) -> Result<Position, StoreError> {
        self.log.reopen(&Kept::default())
    }

    fn reopen_and_restore(&self, kept: &Kept) -> Result<Position, StoreError> {
        self.log.reopen(kept)
    }

    fn safe_without_wal(&self) -> Position {
        self.log.safe_without_wal()
    }

    fn sizes(&self) -> Result<Sizes, StoreError> {
        sizes(self.log.path(), &self.views_path)
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
        self.log.reader().with_connection(|log| {
            self::files::check::log(log, self::files::bounded_read::BEHIND_A_CHECK_BYTES_MAX)
        })
    }

    fn check_guards(&self) -> Result<Vec<Damage>, StoreError> {
        self.log.reader().with_connection(self::files::check::guards)
    }

    fn views(&self) -> &dyn Views {
        &self.views
    }

    fn begin_rebuild(&self, rule: Rule) -> Result<Box<dyn Rebuild + '_>, StoreError> {
        Ok(Box::new(SqliteRebuild::beside(&self.views, &self.views_path, self.log.path(), rule)?))
    }

    fn temporary_views(&self, rule: Rule) -> Result<Box<dyn Views>, StoreError> {
        Ok(Box::new(SqliteViews::temporary_views(self.log.ledger_id(), rule)?))
    }
}

/// What a log and its views take on disk.
pub fn sizes(log: &Path, views: &Path) -> Result<Sizes, StoreError> {
    let bytes = |file: &Path| file.metadata().map_or(0, |metadata| metadata.len());
    Ok(Sizes {
        log: bytes(log),
        log_wal: bytes(&self::files::paths::sidecar(log, "-wal")),
        views: bytes(views),
        views_wal: bytes(&self::files::paths::sidecar(views, "-wal")),
        disk_free: self::files::paths::disk_free(log)?,
    })
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
