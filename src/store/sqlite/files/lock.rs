//! Locks between processes, with `flock`: the kernel releases them when the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use crate::store::sqlite::files::descriptor::Descriptor;
use crate::store::sqlite::files::paths::sidecar;
use crate::store::sqlite::place;
use crate::store::{StoreError, TaskGuard};

/// How long to wait for a lock. Commands such as `audit` hold it for a moment, which should not make a
/// server or a replay fail.
const PATIENCE: Duration = Duration::from_millis(1000);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// An exclusive `flock` on a file that is named after the one it guards, such as `ledger.views.db.lock` during
/// a replay.
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Unlocks the file; closing it is not enough, because a child process may hold a copy of the descriptor
    /// until it runs its own program.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock of a ledger's name, waiting up to a second.
    pub fn acquire(ledger: &Path) -> Result<Self, StoreError> {
        Self::soon(ledger)?.ok_or_else(|| StoreError::Locked { place: place(ledger) })
    }

    /// Takes the lock of a file, waiting up to a second; `None` if another process keeps it.
    pub fn soon(guarded: &Path) -> Result<Option<Self>, StoreError> {
        soon(|| Self::at_once(guarded))
    }

    /// Whether another process has the lock of a file. It creates nothing, and tries a shared lock, so that two
    /// concurrent calls do not see each other.
    fn is_held_now(guarded: &Path) -> Result<bool, StoreError> {
        let path = sidecar(guarded, ".lock");
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

    /// Takes the lock of a file; `None` if another process has it.
    pub fn at_once(guarded: &Path) -> Result<Option<Self>, StoreError> {
        let path = sidecar(guarded, ".lock");
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

impl TaskGuard for Lock {
    fn is_held(&self) -> bool {
        true
    }
}

/// The lock of a ledger's only writer: an exclusive `flock` on `ledger.db` itself, which survives renaming,
/// and the lock of its name, which protects a file that is put in its place.
pub struct WriterLock {
    log: Arc<Descriptor>,
    _name: Lock,
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        self.log.unlock();
    }
}

impl WriterLock {
    /// Takes the lock of the log at this path, whose name is already held, waiting up to a second.
    /// The file is created if it does not exist.
    pub fn acquire(ledger: &Path, name: Lock) -> Result<Self, StoreError> {
        let failed =
            |cause| StoreError::File { act: "open for writing", path: ledger.to_owned(), cause };
        let log = Descriptor::create(ledger).map_err(failed)?;
        let locked = soon(|| {
            let locked = log.try_lock().map_err(failed)?;
            Ok(locked.then_some(()))
        })?;
        match locked {
            Some(()) => Ok(Self { log, _name: name }),
            None => Err(StoreError::Locked { place: place(ledger) }),
        }
    }

    /// Whether any process holds the ledger as its writer. Creates nothing.
    pub fn is_held_now(ledger: &Path) -> Result<bool, StoreError> {
        Ok(Self::has_file(ledger)? || Lock::is_held_now(ledger)?)
    }

    /// Like [`is_held_now`](Self::is_held_now); true if that fails.
    pub fn may_be_held(ledger: &Path) -> bool {
        !matches!(Self::is_held_now(ledger), Ok(false))
    }

    fn has_file(ledger: &Path) -> Result<bool, StoreError> {
        let failed = |cause| StoreError::File { act: "look at", path: ledger.to_owned(), cause };
        match Descriptor::open(ledger) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
            opened => opened.and_then(|log| log.is_locked()).map_err(failed),
        }
    }
}

/// Tries for up to a second.
fn soon<T>(
    mut take: impl FnMut() -> Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    let tries = PATIENCE.as_millis() / BETWEEN_TRIES.as_millis();
    for _ in 0..tries {
        match take()? {
            Some(taken) => return Ok(Some(taken)),
            None => sleep(BETWEEN_TRIES),
        }
    }
    Ok(None)
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
        assert!(Lock::is_held_now(&guarded).unwrap());

        drop(lock);

        assert!(!Lock::is_held_now(&guarded).unwrap());
        drop(copy);
    }

    #[test]
    fn a_ledger_is_held_by_its_file_and_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let [ledger, moved] = ["ledger.db", "moved.db"].map(|name| folder.path().join(name));
        let held = WriterLock::acquire(&ledger, Lock::acquire(&ledger).unwrap()).unwrap();
        std::fs::remove_file(sidecar(&ledger, ".lock")).unwrap();
        assert!(WriterLock::is_held_now(&ledger).unwrap(), "the file is still locked");
        std::fs::rename(&ledger, &moved).unwrap();
        assert!(WriterLock::is_held_now(&moved).unwrap(), "also under another name");

        drop(held);

        assert!(!WriterLock::is_held_now(&moved).unwrap());
    }
}
