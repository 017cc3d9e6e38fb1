//! The views in their file, or in shadow tables beside those in use.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tempfile::TempDir;
use uuid::Uuid;

use crate::domain::digest::{CHAIN_START, Hash};
use crate::domain::filter::MessageFilter;
use crate::domain::message_ref::MessageRef;
use crate::domain::rollup::{Hour, Rollup, RollupKey};
use crate::domain::{MessageKey, MessageSid, Position, Rule};
use crate::store::sqlite::engine;
use crate::store::sqlite::files::connect::{self, Readers};
use crate::store::sqlite::files::lock::WriterLock;
use crate::store::sqlite::files::{bounded_read, check, paths};
use crate::store::sqlite::migrate::{self, VIEW_TABLES};
use crate::store::sqlite::views::error::{Failure, failed};
use crate::store::sqlite::views::index::{put_entries, put_in_order};
use crate::store::sqlite::views::index_buffer::IndexBuffer;
use crate::store::sqlite::views::read::Tables;
use crate::store::sqlite::views::table_set::TableSet;
use crate::store::sqlite::views::{list, rebuild, rollup_read, write};
use crate::store::{Batch, Checked, Checkpoint, Damage, Message, MessagePage, StoreError, Views};

/// How many SIDs or addresses one transaction writes: others who want to write wait for some 10 ms.
const KEYS_A_TRANSACTION: usize = 1 << 14;

/// How long a rebuild pauses after each transaction, so that the live projection can write.
const WAY_FOR_OTHERS: Duration = Duration::from_millis(5);

/// One set of tables and the connections to them.
pub struct SqliteViews {
    ledger_id: Uuid,
    role: TableSet,
    /// Of a shadow the log, whose holder writes to the same file.
    beside: Option<PathBuf>,
    /// `None` if one thread uses the views. Closed first: only the last connection empties the WAL.
    readers: Option<Readers>,
    writing: Arc<Mutex<Connection>>,
    /// The folder of views of their own, removed with them.
    _folder: Option<TempDir>,
    /// What is wrong with the views that these stand in for.
    stand_in_for: Option<String>,
    /// What is not yet written, where it is gathered.
    pending: Mutex<IndexBuffer>,
}

impl SqliteViews {
    /// Opens the views for writing. Views of another version, or that SQLite cannot read,
    /// are thrown away; they then start from nothing.
    pub fn open(path: &Path, ledger_id: Uuid) -> Result<Self, StoreError> {
        let connection = match open_current(path) {
            Ok(connection) => connection,
            Err(reason) => {
                tracing::warn!(path = %path.display(), %reason, "the views are made anew");
                remove(path)?;
                connect::make_file(path)?;
                made_new(path)?
            }
        };
        let views = Self::in_use(path, ledger_id, connection)?;
        rebuild::remove_leftovers(&views, path)?;
        views.begin_if_new()?;
        Ok(views)
    }

    /// Opens the views that another process keeps, to write beside it. It has made them already.
    pub fn open_beside(path: &Path, ledger_id: Uuid) -> Result<Self, StoreError> {
        let connection =
            open_current(path).map_err(|detail| StoreError::DamagedViews { detail })?;
        Self::in_use(path, ledger_id, connection)
    }

    fn in_use(path: &Path, ledger_id: Uuid, writing: Connection) -> Result<Self, StoreError> {
        Ok(Self {
            ledger_id,
            role: TableSet::InUse,
            beside: None,
            writing: Arc::new(Mutex::new(writing)),
            readers: Some(Readers::of(path)?),
            _folder: None,
            stand_in_for: None,
            pending: Mutex::new(IndexBuffer::in_folder(connect::folder_of(path))),
        })
    }

    /// Opens the views as another process keeps them. Where there are none that can be used,
    /// empty ones stand in: whatever is asked is then answered from the log alone.
    pub fn open_for_reading(path: &Path, ledger_id: Uuid) -> Result<Self, StoreError> {
        if !path.exists() || paths::is_half_made(path) {
            return Self::temporary_views(ledger_id, Rule::default());
        }
        let opened = connect::for_reading(path).map_err(|error| error.to_string());
        let current = opened.and_then(|connection| {
            let current = migrate::views_are_current(&connection)? && have_begun(&connection)?;
            Ok(current.then_some(connection))
        });
        match current {
            Ok(Some(connection)) => Self::in_use(path, ledger_id, connection),
            Ok(None) => Self::temporary_views(ledger_id, Rule::default()),
            Err(reason) => {
                let empty = Self::temporary_views(ledger_id, Rule::default())?;
                Ok(Self { stand_in_for: Some(reason), ..empty })
            }
        }
    }

    /// Empty views in a folder of their own.
    pub fn temporary_views(ledger_id: Uuid, rule: Rule) -> Result<Self, StoreError> {
        let failed =
            |cause| StoreError::File { act: "make a folder in", path: std::env::temp_dir(), cause };
        let folder = tempfile::tempdir().map_err(failed)?;
        let views = Self {
            ledger_id,
            role: TableSet::Scratch,
            beside: None,
            writing: Arc::new(Mutex::new(made_new(&folder.path().join("views.db"))?)),
            readers: None,
            _folder: Some(folder),
            stand_in_for: None,
            pending: Mutex::new(IndexBuffer::in_folder(std::env::temp_dir())),
        };
        views.reset(rule)?;
        Ok(views)
    }

    /// A shadow's tables, in the same file, beside whoever holds this ledger.
    pub fn begin_rebuild(&self, ledger: &Path) -> Self {
        Self {
            ledger_id: self.ledger_id,
            role: TableSet::Rebuild,
            beside: Some(ledger.to_owned()),
            writing: Arc::clone(&self.writing),
            readers: self.readers.clone(),
            _folder: None,
            stand_in_for: None,
            pending: Mutex::new(IndexBuffer::in_folder(connect::folder_of(ledger))),
        }
    }

    fn begin_if_new(&self) -> Result<(), StoreError> {
        let rows: i64 =
            crate::store::sqlite::query_value(&self.writing(), "SELECT count(*) FROM checkpoint")
                .map_err(engine("read the checkpoint"))?;
        if rows == 0 { self.reset(Rule::default()) } else { Ok(()) }
    }

    fn pending(&self) -> MutexGuard<'_, IndexBuffer> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that writes.
    pub fn writing(&self) -> MutexGuard<'_, Connection> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// ExternalSorter writes in one transaction, and leaves the file to others for a while if there are any.
    pub fn write<T>(
        &self,
        act: &str,
        write: impl FnOnce(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let written = {
            let connection = &mut *self.writing();
            let transaction = Transaction::new(connection, TransactionBehavior::Immediate);
            let written = transaction.map_err(Failure::from).and_then(|transaction| {
                let tables = Tables { connection: &transaction, suffix: self.role.suffix() };
                let value = write(tables)?;
                transaction.commit()?;
                Ok(value)
            });
            written.map_err(|failure| failure.told(act))
        };
        if self.beside.as_ref().is_some_and(|ledger| WriterLock::may_be_held(ledger)) {
            sleep(WAY_FOR_OTHERS);
        }
        written
    }

    /// Whether these are tables beside those in use of a ledger that nobody else works on.
    pub fn is_alone(&self) -> bool {
        self.beside.as_ref().is_some_and(|ledger| !WriterLock::may_be_held(ledger))
    }

    /// ExternalSorter reads that see one state of the views, on a reader where there is a pool of them.
    fn reading<T>(
        &self,
        act: &str,
        read: impl FnOnce(&Tables<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        match &self.readers {
            Some(readers) => self.in_snapshot(&mut *readers.get()?, read),
            None => self.in_snapshot(&mut self.writing(), read),
        }
        .map_err(failed(act))
    }

    fn in_snapshot<T>(
        &self,
        connection: &mut Connection,
        read: impl FnOnce(&Tables<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let transaction = connection.transaction()?;
        let value = read(&Tables { connection: &transaction, suffix: self.role.suffix() })?;
        transaction.commit()?;
        Ok(value)
    }
}

impl Views for SqliteViews {
    fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.reading("read the checkpoint", |tables| tables.checkpoint())
    }

    fn reset(&self, rule: Rule) -> Result<(), StoreError> {
        self.write("empty the views", |tables| {
            for table in VIEW_TABLES {
                let sql = format!("DELETE FROM {table}{}", tables.suffix);
                tables.connection.execute_batch(&sql)?;
            }
            self.pending().clear();
            let start = Checkpoint {
                ledger_id: self.ledger_id,
                generation: Uuid::now_v7(),
                rule,
                position: 0,
                event_id: None,
                chain: CHAIN_START,
                first_real: 0,
                last_simulated: 0,
            };
            Ok(write::checkpoint(tables, &start)?)
        })
    }

    fn load(&self, keys: &[&MessageKey]) -> Result<Vec<Option<Message>>, StoreError> {
        let load = |connection: &mut Connection| {
            let pending = self.pending();
            self.in_snapshot(connection, |tables| {
                tables.messages(tables.checkpoint()?.rule)?.by_keys(keys, &pending)
            })
        };
        load(&mut self.writing()).map_err(failed("read messages from the views"))
    }

    fn project(&self, batch: &Batch) -> Result<(), StoreError> {
        self.write("write to the views", |tables| {
            let (now, to) = (tables.checkpoint()?, &batch.to);
            let moved = now.position != batch.from || now.generation != to.generation;
            if moved || now.rule != to.rule {
                return Err(StoreError::CheckpointMoved.into());
            }
            let mut entries = write::batch(tables, batch, self.role.is_listed())?;
            if self.role.gathers() {
                self.pending().extend(entries);
                return Ok(());
            }
            put_in_order(&mut entries);
            Ok(put_entries(tables, &entries)?)
        })?;
        self.pending().entries.make_room()?;
        let are_many = self.pending().are_many();
        if are_many { self.build_indexes() } else { Ok(()) }
    }

    fn build_indexes(&self) -> Result<(), StoreError> {
        let mut entries = self.pending().entries.take()?;
        loop {
            let next: Vec<_> =
                entries.by_ref().take(KEYS_A_TRANSACTION).collect::<Result<_, _>>()?;
            if next.is_empty() {
                break;
            }
            let act = "write the indexes of the views";
            self.write(act, |tables| Ok(put_entries(tables, &next)?))?;
        }
        // Whoever asked for a message meanwhile found it by its place.
        self.pending().clear();
        Ok(())
    }

    fn find(&self, message_sid: &MessageSid) -> Result<(Checkpoint, Vec<Message>), StoreError> {
        self.reading("find a message in the views", |tables| {
            let checkpoint = tables.checkpoint()?;
            let messages = tables.messages_with(checkpoint.rule, message_sid)?;
            Ok((checkpoint, messages))
        })
    }

    fn page(&self, after: u64, limit: usize) -> Result<(Checkpoint, Vec<Message>), StoreError> {
        self.reading("read messages from the views", |tables| {
            let checkpoint = tables.checkpoint()?;
            let messages = tables.page(checkpoint.rule, after, limit)?;
            Ok((checkpoint, messages))
        })
    }

    fn for_each_message(
        &self,
        after: u64,
        last: u64,
        each: &mut dyn FnMut(&MessageRef<'_>),
    ) -> Result<Checkpoint, StoreError> {
        self.reading("pass messages of the views", |tables| {
            tables.for_each_message(after, last, each)?;
            tables.checkpoint()
        })
    }

    fn list(
        &self,
        wanted: &MessageFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<MessagePage, StoreError> {
        self.reading("list messages of the views", |tables| {
            list::list(*tables, wanted, before, limit)
        })
    }

    fn count(&self) -> Result<u64, StoreError> {
        self.reading("count the messages of the views", |tables| tables.last_id())
    }

    fn for_each_rollup(
        &self,
        hours: RangeInclusive<Hour>,
        each: &mut dyn FnMut(RollupKey<'_>, &Rollup),
    ) -> Result<Checkpoint, StoreError> {
        self.reading("read the cells of the views", |tables| {
            rollup_read::for_each_rollup(*tables, hours, each)?;
            tables.checkpoint()
        })
    }

    fn chain_marks(&self) -> Result<BTreeMap<Position, Hash>, StoreError> {
        self.reading("read the chain", |tables| tables.chain_marks())
    }

    fn check(&self) -> Result<Checked, StoreError> {
        if let Some(detail) = self.stand_in_for.clone() {
            return Ok(Checked { damages: vec![Damage::Engine { detail }], finished: true });
        }
        match &self.readers {
            Some(readers) => check::views(&*readers.get()?, bounded_read::BEHIND_A_CHECK_BYTES_MAX),
            None => check::views(&self.writing(), bounded_read::BEHIND_A_CHECK_BYTES_MAX),
        }
    }
}

/// The views as they are, where they can be used.
fn open_current(path: &Path) -> Result<Connection, String> {
    let mut connection = connect::views_for_writing(path).map_err(|error| error.to_string())?;
    let schema = migrate::schema(&connection).map_err(|error| error.to_string())?;
    if schema.is_empty() {
        migrate::views(&mut connection, path).map_err(|error| error.to_string())?;
    }
    match migrate::views_are_current(&connection)? {
        true => Ok(connection),
        false => Err("they are of another version".to_owned()),
    }
}

/// Whether there is anything in the views. A process that was killed right after making them has not
/// written their first checkpoint.
fn have_begun(connection: &Connection) -> Result<bool, String> {
    let sql = "SELECT EXISTS (SELECT 1 FROM checkpoint) OR EXISTS (SELECT 1 FROM messages)";
    crate::store::sqlite::query_value(connection, sql).map_err(|error| error.to_string())
}

fn made_new(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = connect::views_for_writing(path)?;
    migrate::views(&mut connection, path)?;
    Ok(connection)
}

/// Throws views away: removes their file with what SQLite keeps beside it.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    let _against_replays = rebuild::lock(path)?;
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = PathBuf::from(name);
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::File { act: "remove", path: file, cause: source });
            }
            _ => {}
        }
    }
    // An old WAL that came back beside new views would be read into them.
    connect::sync_folder_of(path)
}
