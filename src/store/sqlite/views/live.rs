//! The views in use, as a server and commands read and write them.
//!
//! A replay may put another file in use at any time. So each write compares, within its transaction, the
//! file behind the link with the one that is open, and each read does so once it sees a state of the
//! file. If it is another one, it is opened first. A commit to a file that was replaced would succeed
//! and be lost.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use uuid::Uuid;

use crate::domain::message::tags::IndexedTags;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::files::identity::{Inode, inode};
use crate::store::sqlite::files::readers::{Reader, Readers};
use crate::store::sqlite::migrate;
use crate::store::sqlite::views::error::{Failure, failed};
use crate::store::sqlite::views::fresh::FreshViews;
use crate::store::sqlite::views::link::ViewsLink;
use crate::store::sqlite::views::tables::Tables;
use crate::store::sqlite::views::views_impl::Transactions;
use crate::store::{Checked, StoreError};

/// The views behind the link.
pub struct LiveViews {
    ledger_id: Uuid,
    link: ViewsLink,
    access: ViewsAccess,
    /// See [`crate::store::Store::set_indexed_tags`].
    indexed_tags: Mutex<Option<IndexedTags>>,
    file: Mutex<Arc<OpenFile>>,
}

/// The purpose that the views are opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewsAccess {
    Read,
    Write,
}

/// One generation and the connections to it.
struct OpenFile {
    inode: Option<Inode>,
    /// Closed first: only the last connection empties the WAL.
    readers: Readers,
    /// Can only read if that is what the views were opened for.
    writing: Mutex<Connection>,
}

impl LiveViews {
    /// Opens the views as the ledger's only writer. If they are of another version, or SQLite cannot
    /// read them, they are replaced by empty ones.
    pub fn open(link: ViewsLink, ledger_id: Uuid) -> Result<Self, StoreError> {
        // Another process may be replaying; its unfinished files are no leftovers.
        if let Some(_lock) = link.try_lock()? {
            link.remove_leftovers();
        }
        let file = link.file();
        if !file.exists() {
            return Self::begin(link, ledger_id);
        }
        match OpenFile::open(&file, ViewsAccess::Write) {
            Ok(file) => Ok(Self::new(link, ledger_id, ViewsAccess::Write, file)),
            Err(reason) => {
                tracing::warn!(path = %file.display(), %reason, "the views are rebuilt");
                Self::begin(link, ledger_id)
            }
        }
    }

    /// Puts empty views in the place of existing ones.
    fn begin(link: ViewsLink, ledger_id: Uuid) -> Result<Self, StoreError> {
        let _lock = link.lock()?;
        link.remove_views()?;
        let file = link.new_file();
        FreshViews::in_file(&file, ledger_id, IndexedTags::All)?.finish(&file)?;
        connect::sync_folder_of(&file)?;
        link.point_to(&file)?;
        Self::open_existing(link, ledger_id, ViewsAccess::Write)
    }

    /// Opens the views that another process writes, and has created.
    pub fn open_existing(
        link: ViewsLink,
        ledger_id: Uuid,
        access: ViewsAccess,
    ) -> Result<Self, StoreError> {
        let file = open_behind(&link, access).map_err(|error| match error {
            StoreError::DamagedViews { .. } => error,
            error => StoreError::DamagedViews { detail: error.to_string() },
        })?;
        Ok(Self::new(link, ledger_id, access, file))
    }

    fn new(link: ViewsLink, ledger_id: Uuid, access: ViewsAccess, file: OpenFile) -> Self {
        let file = Mutex::new(Arc::new(file));
        Self { ledger_id, link, access, indexed_tags: Mutex::default(), file }
    }

    /// See [`crate::store::Store::set_indexed_tags`].
    pub fn set_indexed_tags(&self, indexed: IndexedTags) {
        *self.indexed_tags.lock().unwrap_or_else(PoisonError::into_inner) = Some(indexed);
    }

    /// The link to them.
    pub fn link(&self) -> &ViewsLink {
        &self.link
    }

    /// The purpose that they were opened for.
    pub fn access(&self) -> ViewsAccess {
        self.access
    }

    /// The tags of [`set_indexed_tags`](Self::set_indexed_tags).
    pub fn indexed_tags(&self) -> Option<IndexedTags> {
        self.indexed_tags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// See [`crate::store::Store::checkpoint_views_wal`].
    pub fn checkpoint_wal(&self) -> Result<(), StoreError> {
        let file = self.file();
        let (busy, frames, moved): (bool, i64, i64) = file
            .writing()
            // PASSIVE neither waits for other connections nor calls the busy handler.
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(failed("checkpoint the views' WAL"))?;
        match busy || moved < frames {
            true => Err(StoreError::Busy),
            false => Ok(()),
        }
    }

    fn file(&self) -> Arc<OpenFile> {
        Arc::clone(&self.file.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the link leads to another file than this one. A link that was removed leads to none.
    fn is_replaced(&self, file: &OpenFile) -> bool {
        inode(self.link.path()).is_some_and(|inode| Some(inode) != file.inode)
    }

    /// Opens the file that the link leads to now, unless another thread has done so.
    fn reopen(&self, replaced: &Arc<OpenFile>) -> Result<(), StoreError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&file, replaced) {
            *file = Arc::new(open_behind(&self.link, self.access)?);
        }
        Ok(())
    }

    /// A state of the views in use.
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        loop {
            let file = self.file();
            let snapshot = Snapshot::new(&file);
            // Checked once the WAL is open: it is removed only after the link was replaced.
            match self.is_replaced(&file) {
                true => self.reopen(&file)?,
                false => return snapshot,
            }
        }
    }
}

impl Transactions for LiveViews {
    fn ledger_id(&self) -> Uuid {
        self.ledger_id
    }

    fn indexed_tags(&self) -> Option<IndexedTags> {
        Self::indexed_tags(self)
    }

    fn read<T>(
        &self,
        act: &str,
        read: impl FnOnce(&Tables<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let snapshot = self.snapshot()?;
        read(&Tables { connection: &snapshot.0, sids: None }).map_err(failed(act))
    }

    fn read_to_write<T>(
        &self,
        act: &str,
        read: impl FnOnce(&Tables<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        // If it was read from a replaced file, the batch will be refused.
        let file = self.file();
        let connection = &mut *file.writing();
        let in_snapshot = || {
            let transaction = connection.transaction()?;
            let value = read(&Tables { connection: &transaction, sids: None })?;
            transaction.commit()?;
            Ok(value)
        };
        in_snapshot().map_err(failed(act))
    }

    fn write<T>(
        &self,
        act: &str,
        write: impl FnOnce(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut write = Some(write);
        loop {
            let file = self.file();
            let connection = &mut *file.writing();
            let begun = Transaction::new(connection, TransactionBehavior::Immediate);
            if self.is_replaced(&file) {
                drop(begun);
                self.reopen(&file)?;
                continue;
            }
            let written = begun.map_err(Failure::from).and_then(|transaction| {
                let write = write.take().expect("the first transaction that gets here is the last");
                let value = write(Tables { connection: &transaction, sids: None })?;
                transaction.commit()?;
                Ok(value)
            });
            return written.map_err(|failure| failure.during(act));
        }
    }

    fn check_tables(
        &self,
        check: impl FnOnce(&Connection) -> Result<Checked, StoreError>,
    ) -> Result<Checked, StoreError> {
        let file = self.file();
        if self.is_replaced(&file) {
            self.reopen(&file)?;
        }
        check(&*self.file().readers.get()?)
    }
}

impl OpenFile {
    fn open(path: &Path, access: ViewsAccess) -> Result<Self, StoreError> {
        let inode = inode(path);
        let writing = match access {
            ViewsAccess::Read => connect::for_reading(path)?,
            ViewsAccess::Write => connect::views_for_writing(path)?,
        };
        let damaged = |detail| Err(StoreError::DamagedViews { detail });
        match migrate::views_are_current(&writing) {
            Ok(true) => {}
            Ok(false) => return damaged("they are of another version".to_owned()),
            Err(detail) => return damaged(detail),
        }
        Ok(Self { inode, readers: Readers::new(path)?, writing: Mutex::new(writing) })
    }

    fn writing(&self) -> MutexGuard<'_, Connection> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the file behind the link. A replay may remove it between the look at the link and the opening;
/// then the link leads to another one.
fn open_behind(link: &ViewsLink, access: ViewsAccess) -> Result<OpenFile, StoreError> {
    loop {
        let path = link.file();
        let opened = OpenFile::open(&path, access);
        if opened.is_ok() || link.file() == path {
            return opened;
        }
    }
}

/// A reader in a transaction that sees one state of a file.
struct Snapshot(Reader);

impl Snapshot {
    fn new(file: &OpenFile) -> Result<Self, StoreError> {
        let snapshot = Self(file.readers.get()?);
        // A transaction begins with the first read.
        let begun = snapshot.0.execute_batch("BEGIN").and_then(|()| {
            let mut first =
                snapshot.0.prepare_cached("SELECT EXISTS (SELECT 1 FROM checkpoint)")?;
            first.query_row([], |_| Ok(()))
        });
        begun.map_err(failed("begin to read the views"))?;
        Ok(snapshot)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let _ends_the_read = self.0.execute_batch("ROLLBACK");
    }
}
