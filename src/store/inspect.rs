//! What can be told of a ledger's files from outside, also where it cannot be opened. Nothing is
//! written, and nothing is made.

use std::path::PathBuf;

use super::metrics::Sizes;
use super::sqlite::files::{inspect, paths, wal_ownership};
use super::sqlite::views::link::ViewsLink;
use super::{Database, StoreError, sqlite};

pub use sqlite::files::inspect::Engine;

/// The files of a ledger, whether they are there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub log: PathBuf,
    /// The views in use, not the link to them.
    pub views: PathBuf,
    /// What SQLite keeps beside them, and the locks.
    pub beside: Vec<PathBuf>,
}

/// The files of a ledger.
pub fn files(database: &Database) -> Files {
    let log = database.log_file().into_owned();
    let link = ViewsLink::of_log(&log);
    let views = link.file();
    let beside = [&log, &views].into_iter().flat_map(|file| {
        ["-wal", "-shm"].into_iter().map(move |suffix| wal_ownership::beside(file, suffix))
    });
    let locks = [log.as_path(), link.path()].map(|file| wal_ownership::beside(file, ".lock"));
    let beside = beside.chain(locks).collect();
    Files { log, views, beside }
}

/// What the ledger takes on disk, and what is left there.
pub fn sizes(database: &Database) -> Result<Sizes, StoreError> {
    let Files { log, views, .. } = files(database);
    sqlite::sizes(&log, &views)
}

/// Whether a process holds the ledger as its only writer.
pub fn is_held(database: &Database) -> Result<bool, StoreError> {
    sqlite::files::lock::WriterLock::is_held_now(&files(database).log)
}

/// What kind of file system the ledger lies on, where other machines may share it.
pub fn network_file_system(database: &Database) -> Option<&'static str> {
    paths::network_of(&files(database).log)
}

/// Refuses a log that has another name.
pub fn refuse_other_names(database: &Database) -> Result<(), StoreError> {
    paths::refuse_other_names(&files(database).log)
}

/// Refuses a write-ahead log that was left without its log.
pub fn refuse_orphaned_wal(database: &Database) -> Result<(), StoreError> {
    wal_ownership::refuse_orphaned_wal(&files(database).log)
}

/// The engine's own settings as the log's file has them.
pub fn engine(database: &Database) -> Result<Engine, StoreError> {
    inspect::engine_of(&files(database).log)
}
