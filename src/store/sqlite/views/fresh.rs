//! New views, filled from position 1 in a file that no other process has open.
//!
//! Until their indexes are built there is one transaction, without a journal: views that are not
//! finished are thrown away. Messages can then be loaded, but neither found by SID nor listed.

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tempfile::TempDir;
use uuid::Uuid;

use crate::domain::Rule;
use crate::domain::message::tags::IndexedTags;
use crate::store::sqlite::engine;
use crate::store::sqlite::files::{connect, wal_ownership};
use crate::store::sqlite::migrate;
use crate::store::sqlite::views::error::{Failure, failed};
use crate::store::sqlite::views::tables::Tables;
use crate::store::sqlite::views::tables::sid_table::SidTable;
use crate::store::sqlite::views::views_impl::Transactions;
use crate::store::{Checked, Damage, StoreError, Views};

/// The index that is built early if there are more messages than the table of SIDs takes.
const INDEX_OF_SIDS: &str = "messages_by_sid";

/// One set of views and the only connection to it.
pub struct FreshViews {
    ledger_id: Uuid,
    indexed_tags: IndexedTags,
    file: Mutex<File>,
    /// The reason that the views which these replace cannot be used.
    damage: Option<String>,
    /// The folder of temporary views, removed with them.
    _folder: Option<TempDir>,
}

struct File {
    connection: Connection,
    /// The indexes that are not built yet: name and statement.
    indexes: Vec<(String, String)>,
    /// Replaces the index of SIDs.
    sids: Option<RefCell<SidTable>>,
}

impl FreshViews {
    /// Empty views in a new file, by the default rule.
    pub fn in_file(
        path: &Path,
        ledger_id: Uuid,
        indexed_tags: IndexedTags,
    ) -> Result<Self, StoreError> {
        connect::make_file(path)?;
        let mut connection = connect::unfinished_views(path)?;
        migrate::views(&mut connection, path)?;
        let indexes = drop_indexes(&connection).map_err(engine("make empty views"))?;
        let file = File { connection, indexes, sids: Some(RefCell::default()) };
        let file = Mutex::new(file);
        let views = Self { ledger_id, indexed_tags, file, damage: None, _folder: None };
        views.reset(Rule::default())?;
        Ok(views)
    }

    /// Empty views in a folder of their own, which index no tags: nothing is listed from them.
    pub fn temporary(ledger_id: Uuid, rule: Rule) -> Result<Self, StoreError> {
        let failed =
            |cause| StoreError::File { act: "make a folder in", path: std::env::temp_dir(), cause };
        let folder = tempfile::tempdir().map_err(failed)?;
        let path = folder.path().join("views.db");
        let views = Self::in_file(&path, ledger_id, IndexedTags::none())?;
        views.reset(rule)?;
        Ok(Self { _folder: Some(folder), ..views })
    }

    /// Empty views that replace unusable ones, so that queries are answered from the log alone; and the
    /// reason that those are unusable, unless there are none.
    pub fn stand_in(ledger_id: Uuid, damage: Option<String>) -> Result<Self, StoreError> {
        let views = Self::temporary(ledger_id, Rule::default())?;
        views.build_indexes()?;
        Ok(Self { damage, ..views })
    }

    /// Ends the transaction, so that others can read the messages while indexes are built.
    pub fn commit(&self) -> Result<(), StoreError> {
        self.file().commit().map_err(failed("write to the views"))
    }

    /// Another connection to the messages, which must not change as long as it is used.
    pub fn reader(&self, path: &Path) -> Result<Self, StoreError> {
        let connection = wal_ownership::alone(path).map_err(engine("read new views"))?;
        let file = File { connection, indexes: Vec::new(), sids: None };
        // One transaction from now on: it keeps the schema and the first page, which indexes change.
        let begun =
            file.connection.execute_batch("BEGIN").and_then(|()| file.tables().checkpoint());
        begun.map_err(failed("read new views"))?;
        Ok(Self {
            ledger_id: self.ledger_id,
            indexed_tags: self.indexed_tags.clone(),
            file: Mutex::new(file),
            damage: None,
            _folder: None,
        })
    }

    /// Builds the indexes, unless they are built.
    pub fn build_indexes(&self) -> Result<(), StoreError> {
        self.file().build_indexes().map_err(failed("build the indexes of the views"))
    }

    /// Builds the indexes, unless they are built, and syncs the file. From then on it has a WAL, as views
    /// in use have, and transactions of its own.
    pub fn finish(&self, path: &Path) -> Result<(), StoreError> {
        let file = &mut *self.file();
        file.build_indexes().map_err(failed("build the indexes of the views"))?;
        connect::finish_views(&file.connection, path)
    }

    /// Sets the folder in which SQLite sorts indexes that do not fit in memory.
    pub fn set_temp_folder(&self, folder: &Path) -> Result<(), StoreError> {
        connect::set_temp_folder(&self.file().connection, folder)
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transactions for FreshViews {
    fn ledger_id(&self) -> Uuid {
        self.ledger_id
    }

    fn indexed_tags(&self) -> Option<IndexedTags> {
        Some(self.indexed_tags.clone())
    }

    fn read<T>(
        &self,
        act: &str,
        read: impl FnOnce(&Tables<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let file = self.file();
        read(&file.tables()).map_err(failed(act))
    }

    fn write<T>(
        &self,
        act: &str,
        write: impl FnOnce(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let file = &mut *self.file();
        match file.indexes.is_empty() {
            true => file.write(write),
            false => file.write_in_open_transaction(write),
        }
        .map_err(|failure| failure.during(act))
    }

    fn check_tables(
        &self,
        check: impl FnOnce(&Connection) -> Result<Checked, StoreError>,
    ) -> Result<Checked, StoreError> {
        match self.damage.clone() {
            Some(detail) => {
                Ok(Checked { damages: vec![Damage::Engine { detail }], finished: true })
            }
            None => check(&self.file().connection),
        }
    }
}

impl File {
    fn tables(&self) -> Tables<'_> {
        Tables { connection: &self.connection, sids: self.sids.as_ref() }
    }

    /// Writes in a transaction of its own.
    fn write<T>(
        &mut self,
        write: impl FnOnce(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let value = write(Tables { connection: &transaction, sids: None })?;
        transaction.commit()?;
        Ok(value)
    }

    /// Writes in the transaction that lasts until the indexes are built.
    fn write_in_open_transaction<T>(
        &mut self,
        write: impl FnOnce(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN")?;
        }
        let value = write(self.tables())?;
        if self.sids.as_ref().is_some_and(|sids| sids.borrow().is_full()) {
            self.build(|name| name == INDEX_OF_SIDS)?;
            self.sids = None;
        }
        Ok(value)
    }

    fn build_indexes(&mut self) -> rusqlite::Result<()> {
        self.build(|_| true)?;
        self.sids = None;
        self.commit()
    }

    fn build(&mut self, is_due: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
        for (_, sql) in self.indexes.extract_if(.., |(name, _)| is_due(name)) {
            self.connection.execute_batch(&sql)?;
        }
        Ok(())
    }

    fn commit(&self) -> rusqlite::Result<()> {
        match self.connection.is_autocommit() {
            true => Ok(()),
            false => self.connection.execute_batch("COMMIT"),
        }
    }
}

/// Drops the indexes of the schema, and returns the statements that create them. Those of flags stay: few messages
/// have one, and at the end each would take a scan of all messages.
fn drop_indexes(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    // An index that belongs to a constraint has no SQL.
    let sql = "SELECT name, sql FROM sqlite_master
               WHERE type = 'index' AND sql NOT LIKE '% WHERE %' AND tbl_name IN ('messages', 'tags')";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let indexes = rows.collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    for (name, _) in &indexes {
        connection.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    Ok(indexes)
}
