//! A log copied into a file of its own, and a place kept free for one: what backups are made of.

use std::ops::ControlFlow;
use std::path::Path;

use super::{Database, StoreError, sqlite};
use crate::domain::Position;

/// Copies the log, up to the head it has now, into the empty file at `to`, and returns that head.
/// The file is a whole ledger without views. It is not synced yet, and nothing is verified.
///
/// A server may go on appending: the log is read in short statements, which keep nobody waiting.
pub fn copy_log(
    from: &Database,
    to: &Path,
    progress: &mut dyn FnMut(Position) -> ControlFlow<()>,
) -> Result<Position, StoreError> {
    sqlite::log::copy::log(&from.log_file(), to, progress)
}

/// Refuses a log whose write-ahead log is not its own, as one that was copied beside it.
/// Only for a log that nobody writes to meanwhile.
pub fn refuse_foreign_wal(database: &Database) -> Result<(), StoreError> {
    sqlite::files::wal_ownership::refuse_foreign_wal(&database.log_file())
}

/// Refuses a place where a file would meet others: one of its name, or what SQLite keeps beside one.
pub fn refuse_taken(path: &Path) -> Result<(), StoreError> {
    sqlite::files::paths::refuse_taken(path)
}

/// A place without a ledger that nobody else can make one at, as long as this is held.
pub struct Vacant {
    _lock: sqlite::files::lock::Lock,
}

impl Vacant {
    /// Refuses a place that is in use or where a ledger, or a part of one, is left.
    pub fn take(database: &Database) -> Result<Self, StoreError> {
        let path = &database.log_file();
        sqlite::files::connect::make_folder(path)?;
        let lock = sqlite::files::lock::Lock::acquire(path)?;
        refuse_taken(path)?;
        Ok(Self { _lock: lock })
    }
}
