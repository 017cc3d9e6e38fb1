//! One writer at a time, held by the kernel: it ends with the process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::super::StoreError;

/// How long a lock is waited for: commands such as `audit` hold it for a moment,
/// and a server that starts meanwhile need not fail for that.
const PATIENCE: Duration = Duration::from_millis(1000);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// An exclusive `flock` on `ledger.db.lock`.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the ledger at this path.
    pub fn acquire(ledger: &Path) -> Result<Self, StoreError> {
        let mut path = ledger.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = |cause| StoreError::File { act: "lock", path: path.clone(), cause };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let tries = PATIENCE.as_millis() / BETWEEN_TRIES.as_millis();
        for _ in 0..tries {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => sleep(BETWEEN_TRIES),
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
        }
        Err(StoreError::Locked { path: ledger.to_owned() })
    }
}
