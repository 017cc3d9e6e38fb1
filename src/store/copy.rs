//! Copying a log into a new file, and reserving a path for one: the parts of backup and restore.

use std::ops::ControlFlow;
use std::path::Path;

use super::sqlite::files::paths;
use super::{Database, StoreError, sqlite};
use crate::domain::Position;

/// Copies the log, up to the head it has now, into the empty file at `to`, and returns that head.
/// The file is a complete ledger without views. It is neither synced nor verified yet.
///
/// A server may append meanwhile: the log is read in short statements, which block nothing.
pub fn copy_log(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(Position) -> ControlFlow<()>,
) -> Result<Position, StoreError> {
    sqlite::log::copy::log(&paths::behind_link(from), to, progress)
}

/// Fails if a file exists at a path, or SQLite's files of an earlier one next to it.
pub fn refuse_taken(path: &Path) -> Result<(), StoreError> {
    sqlite::files::paths::refuse_taken(path)
}

/// A path without a ledger, reserved until this is dropped.
pub struct Vacant {
    _lock: sqlite::files::lock::Lock,
}

impl Vacant {
    /// Reserves the path; fails if it is in use, or if a ledger or part of one exists there.
    pub fn take(database: &Database) -> Result<Self, StoreError> {
        let path = &database.local_path();
        sqlite::files::connect::make_folder(path)?;
        let lock = sqlite::files::lock::Lock::acquire(path)?;
        refuse_taken(path)?;
        Ok(Self { _lock: lock })
    }
}
