//! File identity: whether the log's paths still lead to the files that were opened. If they were moved or
//! removed under a running server, it would write to files that are never found again.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// The inodes of the log and its WAL when they were opened. Later checks only use `stat`, because opening
/// and closing the files would release SQLite's locks.
pub struct FileIdentity(Vec<(PathBuf, Option<Inode>)>);

/// Device and number of a file.
pub type Inode = (u64, u64);

impl FileIdentity {
    /// Records the files of a log that is open for writing.
    pub fn new(log: &Path) -> Self {
        let mut wal = log.as_os_str().to_owned();
        wal.push("-wal");
        let files = [log.to_owned(), PathBuf::from(wal)];
        Self(files.map(|path| (path.clone(), inode(&path))).into())
    }

    /// Fails, with its path, if a file was replaced or removed.
    pub fn check(&self) -> Result<(), StoreError> {
        match self.0.iter().find(|(path, opened)| inode(path) != *opened) {
            None => Ok(()),
            Some((path, _)) => Err(StoreError::NotInPlace { path: path.clone() }),
        }
    }
}

/// The file that a path leads to; `None` if there is none.
pub fn inode(path: &Path) -> Option<Inode> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
