//! The SQLite engine: `ledger.db` for the log, and a file for the views that the link `ledger.views.db` points to.

mod erase;
pub mod files;
pub mod forward;
pub mod log;
mod migrate;
pub mod quarantine;
pub mod views;

use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::Connection;
use uuid::Uuid;

use self::files::lock::{Lock, WriterLock};
use self::log::log_file::Log;
use self::views::FreshViews;
use self::views::generation::SqliteGeneration;
use self::views::link::ViewsLink;
use self::views::open::StoreViews;
use super::erase::Erasing;
use super::seals::{NewSealRecord, SealQuery, SealRecord};
use super::{
    Access, Checked, Damage, KeptValue, NewGeneration, RecentAppends, Sizes, Store, StoreError,
    Task, TaskGuard, Views, WalCheckpoints,
};
use crate::domain::event::Erased;
use crate::domain::message::tags::IndexedTags;
use crate::domain::{NewEvent, Position, RecordedEvent, Rule};

/// The version of SQLite, which is compiled in, such as `3.51.0`.
pub fn version() -> &'static str {
    rusqlite::version()
}

/// A ledger in two files.
pub struct SqliteStore {
    log: Log,
    views: StoreViews,
    views_link: ViewsLink,
    /// Dropped last, so that it is also held while the log is reopened.
    _lock: Option<WriterLock>,
}

impl SqliteStore {
    /// Opens the log at this path, which must not be a link, and its views.
    pub fn open(
        path: &Path,
        access: Access,
        wal_checkpoints: WalCheckpoints,
    ) -> Result<Self, StoreError> {
        self::files::paths::refuse_folder(path)?;
        match access {
            Access::Create | Access::Serve => {
                Self::open_for_writing(path, None, false, wal_checkpoints)
            }
            Access::CreateAs(id) => Self::open_for_writing(path, Some(id), false, wal_checkpoints),
            _ if !path.exists() => Err(StoreError::NotFound { place: place(path) }),
            Access::Read => {
                refuse_unsafe_to_read(path)?;
                Self::open_shared(Log::open_for_reading(path)?, StoreViews::open_for_reading)
            }
            Access::Replay => {
                refuse_unsafe_to_read(path)?;
                Self::open_shared(Log::open_for_reading(path)?, StoreViews::open_to_replay)
            }
            Access::Append => {
                refuse_unsafe_to_read(path)?;
                let log = Log::open_for_appending(path, wal_checkpoints)?;
                Self::open_shared(log, StoreViews::open_for_reading)
            }
            Access::Write => Self::open_for_writing(path, None, false, wal_checkpoints),
            Access::WriteDiscardingViews => {
                Self::open_for_writing(path, None, true, wal_checkpoints)
            }
        }
    }

    fn open_for_writing(
        path: &Path,
        new_id: Option<Uuid>,
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
        let log = Log::open(path, new_id, wal_checkpoints)?;
        let views_link = ViewsLink::of_log(path);
        if without_views {
            let _lock = views_link.lock()?;
            views_link.remove_views()?;
        }
        let views = StoreViews::open(views_link.clone(), log.ledger_id())?;
        Ok(Self { log, views, views_link, _lock: Some(lock) })
    }

    /// Opens the ledger alongside a process that appends and projects.
    fn open_shared(
        log: Log,
        open_views: impl FnOnce(ViewsLink, Uuid) -> Result<StoreViews, StoreError>,
    ) -> Result<Self, StoreError> {
        let views_link = ViewsLink::of_log(log.path());
        let views = open_views(views_link.clone(), log.ledger_id())?;
        Ok(Self { log, views, views_link, _lock: None })
    }
}

/// Fails if the log would be read without its write-ahead log, or with another one's. Takes no lock.
fn refuse_unsafe_to_read(path: &Path) -> Result<(), StoreError> {
    self::files::inspect::refuse_other_names_in_use(path)?;
    self::files::wal_ownership::refuse_foreign_wal_at_rest(path)
}

impl Store for SqliteStore {
    fn ledger_id(&self) -> Uuid {
        self.log.ledger_id()
    }

    fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.log.append(events)
    }

    fn append_copies(
        &self,
        after: (Position, Option<Uuid>),
        events: &[RecordedEvent],
    ) -> Result<Position, StoreError> {
        self.log.append_copies(after, events)
    }

    fn add_erased(&self, erased: &[(Position, Erased)]) -> Result<(), StoreError> {
        self.log.add_erased(erased)
    }

    fn add_seal_records(&self, records: &[NewSealRecord]) -> Result<(), StoreError> {
        self.log.write("cannot seal", |appender, _| {
            self::log::seals::add(appender.connection(), records)
        })
    }

    fn seal_records(&self, query: &SealQuery) -> Result<Vec<SealRecord>, StoreError> {
        self.log.reader().with_connection(|log| self::log::seals::read(log, query))
    }

    fn set_path_prefixes(&self, prefixes: Vec<String>) {
        self.log.set_path_prefixes(prefixes);
    }

    fn set_indexed_tags(&self, indexed: IndexedTags) {
        if let StoreViews::Live(views) = &self.views {
            views.set_indexed_tags(indexed);
        }
    }

    fn indexed_tags(&self) -> Option<IndexedTags> {
        match &self.views {
            StoreViews::Live(views) => views.indexed_tags(),
            StoreViews::StandIn(_) => None,
        }
    }

    fn check_files_unmoved(&self) -> Result<(), StoreError> {
        self.log.check_files_unmoved()
    }

    fn checkpoint_wal(&self) -> Result<(), StoreError> {
        self.log.checkpoint_wal()
    }

    fn checkpoint_views_wal(&self) -> Result<(), StoreError> {
        match &self.views {
            StoreViews::Live(views) => views.checkpoint_wal(),
            StoreViews::StandIn(_) => Ok(()),
        }
    }

    fn reopen(&self) -> Result<Position, StoreError> {
        self.log.reopen(&RecentAppends::default())
    }

    fn reopen_and_restore(&self, recent: &RecentAppends) -> Result<Position, StoreError> {
        self.log.reopen(recent)
    }

    fn safe_without_wal(&self) -> Position {
        self.log.safe_without_wal()
    }

    fn begin(&self, task: Task) -> Result<Option<Box<dyn TaskGuard>>, StoreError> {
        let log = self.log.path();
        let guarded = match task {
            Task::Import => log.with_extension("import"),
            Task::Reconcile => log.with_extension("reconcile.json"),
            Task::Recheck => self::quarantine::path_of(log),
            Task::Erase => log.with_extension("erasure.json"),
        };
        let lock = Lock::soon(&guarded)?;
        Ok(lock.map(|lock| Box::new(lock) as Box<dyn TaskGuard>))
    }

    fn kept(&self, value: KeptValue) -> Result<Option<Vec<u8>>, StoreError> {
        self::files::kept::read(self.log.path(), value)
    }

    fn keep(&self, value: KeptValue, bytes: &[u8]) -> Result<(), StoreError> {
        self::files::kept::write(self.log.path(), value, bytes)
    }

    fn erasing(&self) -> &dyn Erasing {
        self
    }

    fn sizes(&self) -> Result<Sizes, StoreError> {
        sizes(self.log.path(), &self.views_link.file())
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
        self.views.as_views()
    }

    fn begin_generation(&self, rule: Rule) -> Result<Box<dyn NewGeneration + '_>, StoreError> {
        match &self.views {
            StoreViews::Live(views) => Ok(Box::new(SqliteGeneration::begin(views, rule)?)),
            StoreViews::StandIn(_) => Err(StoreError::ReadOnly("the views cannot be rebuilt")),
        }
    }

    fn temporary_views(&self, rule: Rule) -> Result<Box<dyn Views>, StoreError> {
        Ok(Box::new(FreshViews::temporary(self.log.ledger_id(), rule)?))
    }
}

/// The sizes of a log and its views, and the free space of their disk.
pub fn sizes(log: &Path, views: &Path) -> Result<Sizes, StoreError> {
    let bytes = |file: &Path| file.metadata().map_or(0, |metadata| metadata.len());
    Ok(Sizes {
        log: bytes(log),
        log_wal: Some(bytes(&self::files::paths::sidecar(log, "-wal"))),
        views: bytes(views),
        views_wal: Some(bytes(&self::files::paths::sidecar(views, "-wal"))),
        disk_free: Some(self::files::paths::disk_free(log)?),
    })
}

/// A path as errors name it.
fn place(path: &Path) -> String {
    path.display().to_string()
}

/// Adds the failed action to SQLite's error.
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
