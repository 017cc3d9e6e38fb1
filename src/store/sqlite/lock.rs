//! One at a time, held by the kernel: it ends with the process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::leftover::beside;
use crate::store::StoreError;

/// How long a lock is waited for: commands such as `audit` hold it for a moment, and a server or a
/// replay that starts meanwhile need not fail for that.
const PATIENCE: Duration = Duration::from_millis(1000);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// An exclusive `flock` on a file beside the one it guards: `ledger.db.lock` for whoever appends and
/// projects, `ledger.views.db.lock` for whoever replays.
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    /// A process that was begun meanwhile may hold a copy of the file until it runs its own program,
    /// and with it the lock, were it only closed here.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock of the ledger at this path.
    pub fn acquire(ledger: &Path) -> Result<Self, StoreError> {
        Self::soon(ledger)?.ok_or_else(|| StoreError::Locked { path: ledger.to_owned() })
    }

    /// Takes the lock of a file, after a wait where it must; nothing where another keeps it.
    pub fn soon(guarded: &Path) -> Result<Option<Self>, StoreError> {
        let tries = PATIENCE.as_millis() / BETWEEN_TRIES.as_millis();
        for _ in 0..tries {
            match Self::at_once(guarded)? {
                Some(lock) => return Ok(Some(lock)),
                None => sleep(BETWEEN_TRIES),
            }
        }
        Ok(None)
    }

    /// Whether another has the lock of a file, or may have.
    pub fn is_held(guarded: &Path) -> bool {
        !matches!(Self::at_once(guarded), Ok(Some(_)))
    }

    /// Whether another has the lock of a file, without making one. It is asked for in the way of
    /// those who share, so that two who ask do not take each other for a holder.
    pub fn is_held_now(guarded: &Path) -> Result<bool, StoreError> {
        let path = beside(guarded, ".lock");
        let failed = |cause| StoreError::File { act: "look at", path: path.clone(), cause };
        let file = match File::open(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(failed)?,
        };
        match file.try_lock_shared() {
            Ok(()) => file.unlock().map(|()| false).map_err(failed),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Takes the lock of a file; nothing where another has it.
    pub fn at_once(guarded: &Path) -> Result<Option<Self>, StoreError> {
        let path = beside(guarded, ".lock");
        let failed = |cause| StoreError::File { act: "lock", path: path.clone(), cause };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_holder_although_another_process_has_a_copy_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let guarded = folder.path().join("ledger.db");
        let lock = Lock::at_once(&guarded).unwrap().unwrap();
        let copy = lock.file.try_clone().unwrap();
        assert!(Lock::is_held(&guarded));

        drop(lock);

        assert!(!Lock::is_held(&guarded));
        drop(copy);
    }
}
