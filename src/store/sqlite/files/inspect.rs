//! SQLite's settings as stored in a log's file.

use std::path::Path;

use crate::store::StoreError;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::files::paths::refuse_other_names;
use crate::store::sqlite::query_value;

/// Settings that are stored in the file, and the library that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// `wal`, unless another program changed it.
    pub journal_mode: String,
    /// The size of a page in bytes.
    pub page_bytes: u64,
    /// The number of pages, unused ones included.
    pub pages: u64,
    /// Unused pages.
    pub free_pages: u64,
    /// The version of the SQLite library in use.
    pub version: String,
    /// True if that library was compiled with the settings in `.cargo/config.toml`.
    pub is_tuned: bool,
}

/// Whether SQLite was compiled with the settings in `.cargo/config.toml`.
const IS_TUNED: &str = "\
    SELECT sqlite_compileoption_used('DEFAULT_MEMSTATUS=0')
       AND NOT sqlite_compileoption_used('ENABLE_MEMORY_MANAGEMENT')";

/// Reads the settings of a log.
pub fn engine_of(log: &Path) -> Result<Engine, StoreError> {
    let connection = connect::for_reading(log)?;
    let read = || {
        Ok(Engine {
            journal_mode: query_value(&connection, "PRAGMA journal_mode")?,
            page_bytes: query_value(&connection, "PRAGMA page_size")?,
            pages: query_value(&connection, "PRAGMA page_count")?,
            free_pages: query_value(&connection, "PRAGMA freelist_count")?,
            version: query_value(&connection, "SELECT sqlite_version()")?,
            is_tuned: query_value(&connection, IS_TUNED)?,
        })
    };
    read().map_err(|error| connect::not_a_ledger(log, error))
}

/// Like [`refuse_other_names`], before a read. Snapshot tools give backups several names; only a file
/// that was opened as a ledger since can have a WAL under another one.
pub fn refuse_other_names_in_use(path: &Path) -> Result<(), StoreError> {
    let Err(refused) = refuse_other_names(path) else { return Ok(()) };
    match engine_of(path) {
        Ok(engine) if engine.journal_mode != "wal" => Ok(()),
        _ => Err(refused),
    }
}
