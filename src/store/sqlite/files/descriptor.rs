//! Shared file descriptors of SQLite's files: each file is opened once per process.
//!
//! SQLite locks with `fcntl`, and closing any descriptor of a file releases all locks that the process has
//! on it (fcntl(2)). So all code that reads such a file shares one descriptor, which is closed after the
//! last connection because each owner of a connection holds it, too.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// Device and number of a file.
type Inode = (u64, u64);

type Open = HashMap<Inode, Weak<Descriptor>>;

static OPEN: LazyLock<Mutex<Open>> = LazyLock::new(Mutex::default);

/// An open file, whichever name it was opened under.
#[derive(Debug)]
pub struct Descriptor {
    inode: Inode,
    /// `None` only while it is being dropped.
    file: Option<File>,
    /// Whether this process holds the file's `flock`.
    locked: Mutex<bool>,
    damage: Mutex<Option<String>>,
}

impl Descriptor {
    /// The descriptor of the file at this path, which must exist.
    pub fn open(path: &Path) -> io::Result<Arc<Self>> {
        Self::open_or_create(path, false)
    }

    /// Like [`open`](Self::open), but creates the file, accessible only to its owner, if it does not exist.
    pub fn create(path: &Path) -> io::Result<Arc<Self>> {
        Self::open_or_create(path, true)
    }

    fn open_or_create(path: &Path, create: bool) -> io::Result<Arc<Self>> {
        let mut open = lock(&OPEN);
        let known = |open: &Open, inode| open.get(&inode).and_then(Weak::upgrade);
        if let Some(found) = path.metadata().ok().and_then(|meta| known(&open, inode(&meta))) {
            return Ok(found);
        }
        let file = open_file(path, create)?;
        let inode = inode(&file.metadata()?);
        if let Some(found) = known(&open, inode) {
            // An open file has just been renamed to this path. Closing it here would release SQLite's locks.
            std::mem::forget(file);
            return Ok(found);
        }
        let (locked, damage) = (Mutex::default(), Mutex::default());
        let descriptor = Arc::new(Self { inode, file: Some(file), locked, damage });
        open.retain(|_, descriptor| descriptor.strong_count() > 0);
        open.insert(inode, Arc::downgrade(&descriptor));
        Ok(descriptor)
    }

    /// The file, to read from, and to write to if this user may.
    pub fn file(&self) -> &File {
        self.file.as_ref().expect("it is there until it is dropped")
    }

    /// Takes the file's exclusive `flock` for this process; false if this or another process has it.
    pub fn try_lock(&self) -> io::Result<bool> {
        let mut locked = lock(&self.locked);
        if *locked {
            return Ok(false);
        }
        *locked = not_blocked(self.file().try_lock())?;
        Ok(*locked)
    }

    /// Releases the `flock`. Closing the file is not enough: a child process may have a copy of the descriptor
    /// until it runs its own program.
    pub fn unlock(&self) {
        let mut locked = lock(&self.locked);
        let _ = self.file().unlock();
        *locked = false;
    }

    /// Whether this or another process has the file's exclusive `flock`. It tries a shared lock, so that two
    /// concurrent calls do not see each other.
    pub fn is_locked(&self) -> io::Result<bool> {
        let locked = lock(&self.locked);
        if *locked {
            return Ok(true);
        }
        let free = not_blocked(self.file().try_lock_shared())?;
        if free {
            self.file().unlock()?;
        }
        Ok(!free)
    }

    /// Records damage that a reader found, for the writer of the file.
    pub fn report_damage(&self, detail: &str) {
        lock(&self.damage).get_or_insert_with(|| detail.to_owned());
    }

    /// Damage that a reader of this process found.
    pub fn damage(&self) -> Option<String> {
        lock(&self.damage).clone()
    }

    /// Forgets the damage that readers found, after the file was checked.
    pub fn clear_damage(&self) {
        lock(&self.damage).take();
    }
}

impl Drop for Descriptor {
    /// Closes the file while no other thread can open it again.
    fn drop(&mut self) {
        let mut open = lock(&OPEN);
        self.file = None;
        if open.get(&self.inode).is_some_and(|descriptor| descriptor.strong_count() == 0) {
            open.remove(&self.inode);
        }
    }
}

fn open_file(path: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create).truncate(false).mode(0o600);
    match options.open(path) {
        // Read access is enough for reading and locking.
        Err(cause) if cause.kind() == ErrorKind::PermissionDenied && !create => File::open(path),
        opened => opened,
    }
}

fn not_blocked(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(cause)) => Err(cause),
    }
}

fn inode(metadata: &std::fs::Metadata) -> Inode {
    (metadata.dev(), metadata.ino())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of another thread cannot have left a value half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rusqlite::Connection;

    use super::Descriptor;

    #[test]
    fn a_file_has_one_descriptor_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        let descriptor = Descriptor::create(&first).unwrap();
        std::fs::rename(&first, &second).unwrap();

        assert!(Arc::ptr_eq(&descriptor, &Descriptor::open(&second).unwrap()));
        assert!(Descriptor::open(&first).is_err());
        assert!(descriptor.try_lock().unwrap());
        assert!(!descriptor.try_lock().unwrap(), "one lock a process");
        assert!(descriptor.is_locked().unwrap());
        descriptor.unlock();
        assert!(!descriptor.is_locked().unwrap());
    }

    #[test]
    fn reading_a_file_releases_none_of_its_locks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locked.db");
        let _held = Descriptor::create(&path).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE t(x); BEGIN EXCLUSIVE").unwrap();

        drop(Descriptor::open(&path).unwrap());

        assert_eq!(locks_of_others(&path), 1, "the pending and reserved bytes are still locked");
        // The control: closing any other descriptor releases the locks.
        drop(std::fs::File::open(&path).unwrap());
        assert_eq!(locks_of_others(&path), 0);
    }

    /// Whether another process would find the file locked.
    fn locks_of_others(path: &std::path::Path) -> usize {
        use std::os::unix::fs::MetadataExt;
        let inode = format!(":{} ", path.metadata().unwrap().ino());
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        usize::from(locks.lines().any(|line| line.contains("POSIX") && line.contains(&inode)))
    }
}
