//! Inspects a ledger without opening it, and without writing or creating anything.
//! This works for ledgers that cannot be opened, too.

use std::path::PathBuf;

use super::sqlite::files::{inspect, lock, paths, wal_ownership};
use super::sqlite::views::link::ViewsLink;
use super::{Database, Sizes, StoreError, postgres, sqlite};

pub use sqlite::files::inspect::Engine;

/// The files of a ledger, whether or not they exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The log, behind links.
    pub log: PathBuf,
    /// The file of the views in use, not the link to it.
    pub views: PathBuf,
    /// SQLite's files next to them, and the lock files.
    pub sidecars: Vec<PathBuf>,
}

impl Files {
    /// The files of a ledger; `None` if its engine has none.
    pub fn of(database: &Database) -> Option<Self> {
        let log = database.log_file()?.into_owned();
        let link = ViewsLink::of_log(&log);
        let views = link.file();
        let sidecars = [&log, &views].into_iter().flat_map(|file| {
            ["-wal", "-shm"].into_iter().map(move |suffix| paths::sidecar(file, suffix))
        });
        let locks = [log.as_path(), link.path()].map(|file| paths::sidecar(file, ".lock"));
        let sidecars = sidecars.chain(locks).collect();
        Some(Self { log, views, sidecars })
    }

    /// Their sizes, and the free space of their disk.
    pub fn sizes(&self) -> Result<Sizes, StoreError> {
        sqlite::sizes(&self.log, &self.views)
    }

    /// The kind of network file system that they are on; `None` if they are on a local one.
    pub fn network_file_system(&self) -> Option<&'static str> {
        paths::network_of(&self.log)
    }

    /// Fails if the log has another name, a hard link.
    pub fn refuse_other_names(&self) -> Result<(), StoreError> {
        paths::refuse_other_names(&self.log)
    }

    /// Fails if a write-ahead log exists without its log.
    pub fn refuse_orphaned_wal(&self) -> Result<(), StoreError> {
        paths::refuse_orphaned_wal(&self.log)
    }

    /// Fails if the write-ahead log next to the log belongs to another one. No process may write to the log
    /// meanwhile.
    pub fn refuse_foreign_wal(&self) -> Result<(), StoreError> {
        wal_ownership::refuse_foreign_wal(&self.log)
    }

    /// SQLite's settings that are stored in the log's file.
    pub fn engine(&self) -> Result<Engine, StoreError> {
        inspect::engine_of(&self.log)
    }
}

/// Whether a process holds the ledger as its writer.
pub fn is_held(database: &Database) -> Result<bool, StoreError> {
    match database {
        Database::Postgres(url) => postgres::shared::is_served(url),
        Database::Sqlite(_) | Database::SqliteReplicated(_) => {
            lock::WriterLock::is_held_now(&database.local_path())
        }
    }
}
