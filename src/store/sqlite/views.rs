//! The views in their file, or in shadow tables beside those in use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tempfile::TempDir;
use uuid::Uuid;

use super::connect::{self, Readers};
use super::migrate::{self, VIEW_TABLES};
use super::pending::{PendingSids, put_sids};
use super::view_read::Tables;
use super::{check, engine, view_write, wal};
use crate::domain::digest::{CHAIN_START, Hash};
use crate::domain::{MessageKey, MessageSid, Position, Rule};
use crate::store::{Batch, Checked, Checkpoint, Damage, Message, StoreError, Views};

/// One set of tables and the connections to them.
pub struct SqliteViews {
    ledger_id: Uuid,
    /// Behind the tables' names: nothing for those in use, `_new` for a shadow.
    suffix: &'static str,
    /// Nothing where only one thread uses the views. Closed before the write connection, which
    /// alone can empty the WAL when it is the last.
    readers: Option<Readers>,
    writing: Arc<Mutex<Connection>>,
    /// The folder of views of their own, removed with them.
    _folder: Option<TempDir>,
    /// What is wrong with the views that these stand in for.
    stand_in_for: Option<String>,
    /// Whether new SIDs are gathered before they are written. Only where a kill in between does no
    /// harm: in views that are thrown away with the process, or at the next start.
    gathers_sids: bool,
    pending: Mutex<PendingSids>,
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
        let views = Self {
            ledger_id,
            suffix: "",
            writing: Arc::new(Mutex::new(connection)),
            readers: Some(Readers::of(path)?),
            _folder: None,
            stand_in_for: None,
            gathers_sids: false,
            pending: Mutex::default(),
        };
        views.drop_shadow()?;
        views.begin_if_new()?;
        Ok(views)
    }

    /// Opens the views as another process keeps them. Where there are none that can be used,
    /// empty ones stand in: whatever is asked is then answered from the log alone.
    pub fn open_for_reading(path: &Path, ledger_id: Uuid) -> Result<Self, StoreError> {
        if !path.exists() {
            return Self::scratch(ledger_id, Rule::default());
        }
        let opened = connect::for_reading(path).map_err(|error| error.to_string());
        let current = opened.and_then(|connection| {
            let current = migrate::views_are_current(&connection)? && have_begun(&connection)?;
            Ok(current.then_some(connection))
        });
        match current {
            Ok(Some(connection)) => Ok(Self {
                ledger_id,
                suffix: "",
                writing: Arc::new(Mutex::new(connection)),
                readers: Some(Readers::of(path)?),
                _folder: None,
                stand_in_for: None,
                gathers_sids: false,
                pending: Mutex::default(),
            }),
            Ok(None) => Self::scratch(ledger_id, Rule::default()),
            Err(reason) => {
                let empty = Self::scratch(ledger_id, Rule::default())?;
                Ok(Self { stand_in_for: Some(reason), ..empty })
            }
        }
    }

    /// Empty views in a folder of their own.
    pub fn scratch(ledger_id: Uuid, rule: Rule) -> Result<Self, StoreError> {
        let failed =
            |cause| StoreError::File { act: "make a folder in", path: std::env::temp_dir(), cause };
        let folder = tempfile::tempdir().map_err(failed)?;
        let views = Self {
            ledger_id,
            suffix: "",
            writing: Arc::new(Mutex::new(made_new(&folder.path().join("views.db"))?)),
            readers: None,
            _folder: Some(folder),
            stand_in_for: None,
            gathers_sids: true,
            pending: Mutex::default(),
        };
        views.reset(rule)?;
        Ok(views)
    }

    /// Empty shadow tables beside those in use. They take over the file, so its pages must be sound.
    pub fn shadow(&self, rule: Rule) -> Result<Self, StoreError> {
        if let Some(Damage::Engine { detail }) = check::pages(&self.writing())?.into_iter().next() {
            return Err(StoreError::DamagedViews { detail });
        }
        self.drop_shadow()?;
        let create = |connection: &Connection| {
            for table in VIEW_TABLES {
                let sql: String = connection.query_row(
                    "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1",
                    [table],
                    |row| row.get(0),
                )?;
                // The first mention in a table's own SQL is its name.
                connection.execute_batch(&sql.replacen(table, &format!("{table}_new"), 1))?;
            }
            Ok(())
        };
        create(&self.writing()).map_err(failed("make the shadow tables"))?;
        let shadow = Self {
            ledger_id: self.ledger_id,
            suffix: "_new",
            writing: Arc::clone(&self.writing),
            readers: None,
            _folder: None,
            stand_in_for: None,
            gathers_sids: true,
            pending: Mutex::default(),
        };
        shadow.reset(rule)?;
        Ok(shadow)
    }

    /// The shadow takes the place of the tables in use.
    pub fn swap(&self) -> Result<(), StoreError> {
        let swap = |connection: &mut Connection| {
            let transaction = immediate(connection)?;
            for table in VIEW_TABLES {
                transaction.execute_batch(&format!(
                    "DROP TABLE {table};
                     ALTER TABLE {table}_new RENAME TO {table};"
                ))?;
            }
            transaction.commit()
        };
        swap(&mut self.writing()).map_err(failed("swap the shadow tables in"))
    }

    fn drop_shadow(&self) -> Result<(), StoreError> {
        let drops = VIEW_TABLES.map(|table| format!("DROP TABLE IF EXISTS {table}_new;")).concat();
        self.writing().execute_batch(&drops).map_err(failed("drop old shadow tables"))
    }

    fn begin_if_new(&self) -> Result<(), StoreError> {
        let rows: i64 = super::query_value(&self.writing(), "SELECT count(*) FROM checkpoint")
            .map_err(engine("read the checkpoint"))?;
        if rows == 0 { self.reset(Rule::default()) } else { Ok(()) }
    }

    fn pending(&self) -> MutexGuard<'_, PendingSids> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> MutexGuard<'_, Connection> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs reads that see one state of the views, on a reader where there is a pool of them.
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
        let value = read(&Tables { connection: &transaction, suffix: self.suffix })?;
        transaction.commit()?;
        Ok(value)
    }
}

impl Views for SqliteViews {
    fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.reading("read the checkpoint", |tables| tables.checkpoint())
    }

    fn reset(&self, rule: Rule) -> Result<(), StoreError> {
        let reset = |connection: &mut Connection| {
            let transaction = immediate(connection)?;
            for table in VIEW_TABLES {
                transaction.execute_batch(&format!("DELETE FROM {table}{}", self.suffix))?;
            }
            let start = Checkpoint {
                ledger_id: self.ledger_id,
                rule,
                position: 0,
                event_id: None,
                chain: CHAIN_START,
            };
            view_write::checkpoint(
                Tables { connection: &transaction, suffix: self.suffix },
                &start,
            )?;
            self.pending().clear();
            transaction.commit()
        };
        reset(&mut self.writing()).map_err(failed("empty the views"))
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
        let mut connection = self.writing();
        let act = "write to the views";
        let transaction = immediate(&mut connection).map_err(failed(act))?;
        let tables = Tables { connection: &transaction, suffix: self.suffix };
        let now = tables.checkpoint().map_err(failed(act))?;
        if now.position != batch.from || now.rule != batch.to.rule {
            return Err(StoreError::CheckpointMoved);
        }
        let write = || -> rusqlite::Result<()> {
            let new_sids = view_write::batch(tables, batch)?;
            let mut pending = self.pending();
            match self.gathers_sids {
                false => put_sids(tables, new_sids)?,
                true => pending.extend(new_sids),
            }
            if pending.are_many() { pending.write(tables) } else { Ok(()) }
        };
        write().and_then(|()| transaction.commit()).map_err(failed(act))
    }

    fn settle(&self) -> Result<(), StoreError> {
        let settle = |connection: &mut Connection| {
            let transaction = immediate(connection)?;
            let tables = Tables { connection: &transaction, suffix: self.suffix };
            self.pending().write(tables)?;
            transaction.commit()
        };
        settle(&mut self.writing()).map_err(failed("write the index of the views"))
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

    fn chain_marks(&self) -> Result<BTreeMap<Position, Hash>, StoreError> {
        self.reading("read the chain", |tables| tables.chain_marks())
    }

    fn check(&self) -> Result<Checked, StoreError> {
        if let Some(detail) = self.stand_in_for.clone() {
            return Ok(Checked { damages: vec![Damage::Engine { detail }], finished: true });
        }
        match &self.readers {
            Some(readers) => check::views(&*readers.get()?, wal::BEHIND_A_CHECK_BYTES_MAX),
            None => check::views(&self.writing(), wal::BEHIND_A_CHECK_BYTES_MAX),
        }
    }
}

fn immediate(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new(connection, TransactionBehavior::Immediate)
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
    super::query_value(connection, sql).map_err(|error| error.to_string())
}

fn made_new(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = connect::views_for_writing(path)?;
    migrate::views(&mut connection, path)?;
    Ok(connection)
}

/// Throws views away: removes their file with what SQLite keeps beside it.
pub fn remove(path: &Path) -> Result<(), StoreError> {
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

/// A value that cannot be is the views' damage, everything else the engine's trouble.
fn failed(act: &str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
    let act = act.to_owned();
    move |error| match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::QueryReturnedNoRows => {
            StoreError::DamagedViews { detail: format!("{act}: {error}") }
        }
        error if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            StoreError::DamagedViews { detail: format!("{act}: {error}") }
        }
        error => engine(&act)(error),
    }
}
