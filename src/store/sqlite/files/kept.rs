//! Small values of a ledger, each in a file next to its log, such as `ledger.reconcile.json`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::atomic_file::{AtomicFile, OnExisting};
use crate::store::{KeptValue, StoreError};

/// The bytes of a value; `None` if it has no file.
pub fn read(log: &Path, value: KeptValue) -> Result<Option<Vec<u8>>, StoreError> {
    let path = path_of(log, value);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(StoreError::File { act: "read", path, cause }),
    }
}

/// Replaces a value, all or nothing.
pub fn write(log: &Path, value: KeptValue, bytes: &[u8]) -> Result<(), StoreError> {
    let path = path_of(log, value);
    let write = || {
        let mut file = AtomicFile::create(&path, OnExisting::Replace)?;
        file.write_all(bytes)?;
        file.finish()
    };
    write().map_err(|cause| StoreError::File { act: "write", path: path.clone(), cause })
}

fn path_of(log: &Path, value: KeptValue) -> PathBuf {
    log.with_extension(format!("{}.json", value.name()))
}
