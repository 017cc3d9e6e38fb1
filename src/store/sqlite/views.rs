//! The views in their file, or in shadow tables beside those in use.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use tempfile::TempDir;
use uuid::Uuid;

use super::connect::{self, Readers};
use super::message_row::{self, COLUMNS, pack_sid};
use super::{check, engine, migrate};
use crate::domain::digest::{CHAIN_START, Hash};
use crate::domain::lifecycle::Trace;
use crate::domain::{AccountSid, MessageKey, MessageSid, Position, Rule};
use crate::store::{Batch, Changed, Checkpoint, Damage, Message, StoreError, Views};

const TABLES: [&str; 6] = ["checkpoint", "chain_marks", "accounts", "messages", "sids", "trails"];

/// The number that stands for "no account" in the views.
const NO_ACCOUNT: i64 = 0;

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
        };
        views.drop_shadow()?;
        views.begin_if_new()?;
        Ok(views)
    }

    /// Opens the views as another process keeps them. Where there are none that can be used,
    /// empty ones stand in: whatever is asked is then answered from the log alone.
    pub fn open_for_reading(path: &Path, ledger_id: Uuid) -> Result<Self, StoreError> {
        let usable = path.exists().then(|| connect::for_reading(path).ok()).flatten();
        match usable.filter(migrate::views_are_current) {
            Some(connection) => Ok(Self {
                ledger_id,
                suffix: "",
                writing: Arc::new(Mutex::new(connection)),
                readers: Some(Readers::of(path)?),
                _folder: None,
            }),
            None => Self::scratch(ledger_id, Rule::default()),
        }
    }

    /// Empty views in a folder of their own.
    pub fn scratch(ledger_id: Uuid, rule: Rule) -> Result<Self, StoreError> {
        let failed = |source| StoreError::File {
            act: "make a folder in",
            path: std::env::temp_dir(),
            source,
        };
        let folder = tempfile::tempdir().map_err(failed)?;
        let views = Self {
            ledger_id,
            suffix: "",
            writing: Arc::new(Mutex::new(made_new(&folder.path().join("views.db"))?)),
            readers: None,
            _folder: Some(folder),
        };
        views.reset(rule)?;
        Ok(views)
    }

    /// Empty shadow tables beside those in use.
    pub fn shadow(&self, rule: Rule) -> Result<Self, StoreError> {
        self.drop_shadow()?;
        let create = |connection: &Connection| {
            for table in TABLES {
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
        create(&self.writing()).map_err(engine("make the shadow tables"))?;
        let shadow = Self {
            ledger_id: self.ledger_id,
            suffix: "_new",
            writing: Arc::clone(&self.writing),
            readers: None,
            _folder: None,
        };
        shadow.reset(rule)?;
        Ok(shadow)
    }

    /// The shadow takes the place of the tables in use.
    pub fn swap(&self) -> Result<(), StoreError> {
        let swap = |connection: &mut Connection| {
            let transaction = immediate(connection)?;
            for table in TABLES {
                transaction.execute_batch(&format!(
                    "DROP TABLE {table};
                     ALTER TABLE {table}_new RENAME TO {table};"
                ))?;
            }
            transaction.commit()
        };
        swap(&mut self.writing()).map_err(engine("swap the shadow tables in"))
    }

    fn drop_shadow(&self) -> Result<(), StoreError> {
        let drops = TABLES.map(|table| format!("DROP TABLE IF EXISTS {table}_new;")).concat();
        self.writing().execute_batch(&drops).map_err(engine("drop old shadow tables"))
    }

    fn begin_if_new(&self) -> Result<(), StoreError> {
        let rows: i64 = super::query_value(&self.writing(), "SELECT count(*) FROM checkpoint")
            .map_err(engine("read the checkpoint"))?;
        if rows == 0 { self.reset(Rule::default()) } else { Ok(()) }
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
        .map_err(read_failed(act))
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
            for table in TABLES {
                transaction.execute_batch(&format!("DELETE FROM {table}{}", self.suffix))?;
            }
            let start = Checkpoint {
                ledger_id: self.ledger_id,
                rule,
                position: 0,
                event_id: None,
                chain: CHAIN_START,
            };
            Tables { connection: &transaction, suffix: self.suffix }.put_checkpoint(&start)?;
            transaction.commit()
        };
        reset(&mut self.writing()).map_err(engine("empty the views"))
    }

    fn load(&self, keys: &[MessageKey]) -> Result<Vec<Option<Message>>, StoreError> {
        let load = |connection: &mut Connection| {
            self.in_snapshot(connection, |tables| {
                let rule = tables.checkpoint()?.rule;
                keys.iter().map(|key| tables.message(rule, key)).collect()
            })
        };
        load(&mut self.writing()).map_err(read_failed("read messages from the views"))
    }

    fn project(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut connection = self.writing();
        let act = "write to the views";
        let transaction = immediate(&mut connection).map_err(engine(act))?;
        let tables = Tables { connection: &transaction, suffix: self.suffix };
        let now = tables.checkpoint().map_err(engine(act))?;
        if now.position != batch.from || now.rule != batch.to.rule {
            return Err(StoreError::CheckpointMoved);
        }
        tables.write(batch).and_then(|()| transaction.commit()).map_err(engine(act))
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

    fn check(&self) -> Result<Vec<Damage>, StoreError> {
        match &self.readers {
            Some(readers) => check::pages(&*readers.get()?),
            None => check::pages(&self.writing()),
        }
    }
}

/// The statements, on whichever set of tables.
struct Tables<'c> {
    connection: &'c Connection,
    suffix: &'static str,
}

impl Tables<'_> {
    fn checkpoint(&self) -> rusqlite::Result<Checkpoint> {
        let sql = format!(
            "SELECT ledger_id, rule, position, event_id, chain
             FROM checkpoint{}",
            self.suffix
        );
        self.connection.prepare_cached(&sql)?.query_row([], |row| {
            Ok(Checkpoint {
                ledger_id: uuid_column(row, 0)?,
                rule: Rule::parse(&row.get::<_, String>(1)?).ok_or_else(|| damaged(1, "a rule"))?,
                position: row.get(2)?,
                event_id: row
                    .get::<_, Option<Vec<u8>>>(3)?
                    .map(|_| uuid_column(row, 3))
                    .transpose()?,
                chain: row.get(4)?,
            })
        })
    }

    fn put_checkpoint(&self, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT OR REPLACE INTO checkpoint{}(id, ledger_id, rule, position, event_id, chain)
             VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            self.suffix
        );
        self.connection.prepare_cached(&sql)?.execute(params![
            checkpoint.ledger_id.as_bytes(),
            checkpoint.rule.name(),
            checkpoint.position,
            checkpoint.event_id.map(|id| *id.as_bytes()),
            checkpoint.chain,
        ])?;
        Ok(())
    }

    fn message(&self, rule: Rule, key: &MessageKey) -> rusqlite::Result<Option<Message>> {
        let Some(account) = self.account_number(key.account_sid.as_ref())? else { return Ok(None) };
        let sql = format!("SELECT id FROM sids{} WHERE sid = ?1 AND account = ?2", self.suffix);
        let id: Option<u64> = self
            .connection
            .prepare_cached(&sql)?
            .query_row(params![pack_sid(&key.message_sid), account], |row| row.get(0))
            .optional()?;
        id.map(|id| self.message_by_id(rule, id)).transpose()
    }

    fn messages_with(&self, rule: Rule, sid: &MessageSid) -> rusqlite::Result<Vec<Message>> {
        let sql = format!("SELECT id FROM sids{} WHERE sid = ?1 ORDER BY id", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let ids = statement.query_map([pack_sid(sid)], |row| row.get(0))?;
        let ids = ids.collect::<rusqlite::Result<Vec<u64>>>()?;
        ids.into_iter().map(|id| self.message_by_id(rule, id)).collect()
    }

    fn message_by_id(&self, rule: Rule, id: u64) -> rusqlite::Result<Message> {
        let trail = self.trails(id, id)?.remove(&id).unwrap_or_default();
        let sql = format!("SELECT {COLUMNS} FROM messages{} WHERE id = ?1", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_row([id], |row| {
            message_row::from_row(row, rule, trail, |account| self.account_sid(account))
        })
    }

    fn page(&self, rule: Rule, after: u64, limit: usize) -> rusqlite::Result<Vec<Message>> {
        // Ids are dense, so a range of ids is a page.
        let last = after.saturating_add(limit as u64).min(i64::MAX as u64);
        let mut trails = self.trails(after + 1, last)?;
        let sql = format!(
            "SELECT {COLUMNS}
             FROM messages{}
             WHERE id > ?1 AND id <= ?2
             ORDER BY id",
            self.suffix
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([after, last], |row| {
            let trail = trails.remove(&row.get(0)?).unwrap_or_default();
            message_row::from_row(row, rule, trail, |account| self.account_sid(account))
        })?;
        rows.collect()
    }

    fn trails(&self, first: u64, last: u64) -> rusqlite::Result<HashMap<u64, Vec<Trace>>> {
        let sql = format!(
            "SELECT id, position, fingerprint
             FROM trails{}
             WHERE id BETWEEN ?1 AND ?2
             ORDER BY id, position",
            self.suffix
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([first, last])?;
        let mut trails: HashMap<u64, Vec<Trace>> = HashMap::new();
        while let Some(row) = rows.next()? {
            // SQLite's integers are signed; the bits are the fingerprint's.
            let fingerprint = row.get::<_, i64>(2)? as u64;
            let trace = Trace { position: row.get(1)?, fingerprint };
            trails.entry(row.get(0)?).or_default().push(trace);
        }
        Ok(trails)
    }

    fn chain_marks(&self) -> rusqlite::Result<BTreeMap<Position, Hash>> {
        let sql = format!("SELECT position, chain FROM chain_marks{}", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    fn account_number(&self, account: Option<&AccountSid>) -> rusqlite::Result<Option<i64>> {
        let Some(account) = account else { return Ok(Some(NO_ACCOUNT)) };
        let sql = format!("SELECT id FROM accounts{} WHERE account_sid = ?1", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_row([account.as_str()], |row| row.get(0)).optional()
    }

    fn account_sid(&self, number: i64) -> rusqlite::Result<Option<AccountSid>> {
        if number == NO_ACCOUNT {
            return Ok(None);
        }
        let sql = format!("SELECT account_sid FROM accounts{} WHERE id = ?1", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let text: String = statement.query_row([number], |row| row.get(0))?;
        Ok(AccountSid::parse(&text))
    }

    fn write(&self, batch: &Batch) -> rusqlite::Result<()> {
        let sql = format!("SELECT coalesce(max(id), 0) FROM messages{}", self.suffix);
        let mut last_id: u64 = super::query_value(self.connection, &sql)?;
        let mut new_sids = Vec::new();
        for changed in &batch.messages {
            let account = self.account_number_or_new(changed.message.key.account_sid.as_ref())?;
            let mut message = changed.message.clone();
            if message.id == 0 {
                last_id += 1;
                message.id = last_id;
                new_sids.push((pack_sid(&message.key.message_sid), account, message.id));
            }
            self.put_message(&message, account)?;
            self.put_trail(message.id, changed)?;
        }
        self.put_sids(new_sids)?;
        self.put_chain_marks(&batch.chain_marks)?;
        self.put_checkpoint(&batch.to)
    }

    fn account_number_or_new(&self, account: Option<&AccountSid>) -> rusqlite::Result<i64> {
        if let Some(number) = self.account_number(account)? {
            return Ok(number);
        }
        let sql = format!("INSERT INTO accounts{}(account_sid) VALUES (?1)", self.suffix);
        let text = account.map_or("", AccountSid::as_str);
        self.connection.prepare_cached(&sql)?.insert([text])
    }

    fn put_message(&self, message: &Message, account: i64) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT OR REPLACE INTO messages{}({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                     ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            self.suffix
        );
        let values = message_row::to_row(message, account);
        self.connection.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }

    fn put_trail(&self, id: u64, changed: &Changed) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT INTO trails{}(id, position, fingerprint)
             VALUES (?1, ?2, ?3)",
            self.suffix
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        for trace in changed.new_trail() {
            statement.execute(params![id, trace.position, trace.fingerprint as i64])?;
        }
        Ok(())
    }

    /// In key order, so that neighbours go to the same page.
    fn put_sids(&self, mut sids: Vec<(Vec<u8>, i64, u64)>) -> rusqlite::Result<()> {
        sids.sort_unstable();
        let sql = format!("INSERT INTO sids{}(sid, account, id) VALUES (?1, ?2, ?3)", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        for (sid, account, id) in sids {
            statement.execute(params![sid, account, id])?;
        }
        Ok(())
    }

    fn put_chain_marks(&self, marks: &[(Position, Hash)]) -> rusqlite::Result<()> {
        let sql =
            format!("INSERT INTO chain_marks{}(position, chain) VALUES (?1, ?2)", self.suffix);
        let mut statement = self.connection.prepare_cached(&sql)?;
        for (position, chain) in marks {
            statement.execute(params![position, chain])?;
        }
        Ok(())
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
    match migrate::views_are_current(&connection) {
        true => Ok(connection),
        false => Err("they are of another version".to_owned()),
    }
}

fn made_new(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = connect::views_for_writing(path)?;
    migrate::views(&mut connection, path)?;
    Ok(connection)
}

/// Removes a views file with what SQLite keeps beside it.
fn remove(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = PathBuf::from(name);
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::File { act: "remove", path: file, source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn uuid_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Uuid> {
    let bytes: Vec<u8> = row.get(index)?;
    Uuid::from_slice(&bytes).map_err(|_| damaged(index, "a UUID"))
}

fn damaged(column: usize, what: &str) -> rusqlite::Error {
    let detail = format!("this is not {what}");
    let kind = rusqlite::types::Type::Blob;
    rusqlite::Error::FromSqlConversionFailure(column, kind, detail.into())
}

/// A value that cannot be is the views' damage, everything else the engine's trouble.
fn read_failed(act: &str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
    let act = act.to_owned();
    move |error| match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::QueryReturnedNoRows => {
            StoreError::DamagedViews { detail: format!("{act}: {error}") }
        }
        error => engine(&act)(error),
    }
}
