//! Whether the log's files are still the ones that were opened. Whoever moves or removes them under
//! a running server would have it write on into files that nobody finds again.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// The log and its WAL as they were when they were opened. They are only looked at: to open and
/// close them would let go of SQLite's locks.
pub struct InPlace(Vec<(PathBuf, Option<Inode>)>);

/// Device and number of a file.
pub type Inode = (u64, u64);

impl InPlace {
    /// Of a log that is open for writing.
    pub fn of(log: &Path) -> Self {
        let mut wal = log.as_os_str().to_owned();
        wal.push("-wal");
        let files = [log.to_owned(), PathBuf::from(wal)];
        Self(files.map(|path| (path.clone(), inode(&path))).into())
    }

    /// Names the file that is another one now, or gone.
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
