//! Inspects a ledger's files without opening the ledger, and without writing or creating anything.
//! This works for ledgers that cannot be opened, too.

use std::path::PathBuf;

use super::sqlite::files::{inspect, paths};
use super::sqlite::views::link::ViewsLink;
use super::{Database, Sizes, StoreError, sqlite};

pub use sqlite::files::inspect::Engine;

/// The paths of a ledger's files, whether or not they exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The log.
    pub log: PathBuf,
    /// The file of the views in use, not the link to it.
    pub views: PathBuf,
    /// SQLite's files next to them, and the lock files.
    pub sidecars: Vec<PathBuf>,
}

/// The paths of a ledger's files.
pub fn files(database: &Database) -> Files {
    let log = database.log_file().into_owned();
    let link = ViewsLink::of_log(&log);
    let views = link.file();
    let sidecars = [&log, &views].into_iter().flat_map(|file| {
        ["-wal", "-shm"].into_iter().map(move |suffix| paths::sidecar(file, suffix))
    });
    let locks = [log.as_path(), link.path()].map(|file| paths::sidecar(file, ".lock"));
    let sidecars = sidecars.chain(locks).collect();
    Files { log, views, sidecars }
}

/// The sizes of a ledger's files, and the free space of their disk.
pub fn sizes(database: &Database) -> Result<Sizes, StoreError> {
    let Files { log, views, .. } = files(database);
    sqlite::sizes(&log, &views)
}

/// Whether a process holds the ledger as its writer.
pub fn is_held(database: &Database) -> Result<bool, StoreError> {
    sqlite::files::lock::WriterLock::is_held_now(&files(database).log)
}

/// The kind of network file system that the ledger is on; `None` if it is on a local one.
pub fn network_file_system(database: &Database) -> Option<&'static str> {
    paths::network_of(&files(database).log)
}

/// Fails if the log has another name, a hard link.
pub fn refuse_other_names(database: &Database) -> Result<(), StoreError> {
    paths::refuse_other_names(&files(database).log)
}

/// Fails if a write-ahead log exists without its log.
pub fn refuse_orphaned_wal(database: &Database) -> Result<(), StoreError> {
    paths::refuse_orphaned_wal(&files(database).log)
}

/// SQLite's settings that are stored in the log's file.
pub fn engine(database: &Database) -> Result<Engine, StoreError> {
    inspect::engine_of(&files(database).log)
}
