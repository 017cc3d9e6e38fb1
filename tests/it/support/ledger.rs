//! A ledger that no server holds: filled in this process, asked and damaged from outside.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use delivery_ledger::domain::{NewEvent, Rule};
use delivery_ledger::projection::catch_up;
use delivery_ledger::projection::compatibility::reset_if_incompatible;
use delivery_ledger::store::{self, Access, Database, Store};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use super::app::Command;

/// A ledger in a temporary folder.
pub struct Ledger {
    folder: TempDir,
}

impl Ledger {
    /// With nothing in it, not even its files.
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// With these events, projected.
    pub fn of(events: &[NewEvent]) -> Self {
        let ledger = Self::new();
        ledger.append(events);
        ledger.project();
        ledger
    }

    /// Opens it as the only writer.
    pub fn open(&self) -> Box<dyn Store> {
        store::open(&self.database(), Access::Create).unwrap()
    }

    /// Opens it as a reader does.
    pub fn open_for_reading(&self) -> Box<dyn Store> {
        store::open(&self.database(), Access::Read).unwrap()
    }

    /// Adds events to the log; the views stay where they are.
    pub fn append(&self, events: &[NewEvent]) {
        self.open().append(events).unwrap();
    }

    /// Brings the views up to the head.
    pub fn project(&self) {
        let store = self.open();
        reset_if_incompatible(&*store, Rule::default()).unwrap();
        let head = store.head().unwrap();
        catch_up(&*store, store.views(), head, &mut |_| ControlFlow::Continue(())).unwrap();
    }

    /// Where it is, for `store::open`.
    pub fn database(&self) -> Database {
        Database::Sqlite(self.log_file())
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The log's file.
    pub fn log_file(&self) -> PathBuf {
        self.file("ledger.db")
    }

    /// The views' file.
    pub fn views_file(&self) -> PathBuf {
        self.file("ledger.views.db")
    }

    /// A command on it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        Command::new(self.folder.path(), arguments)
    }

    /// Runs a command on it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output()
    }

    /// `verify`: its exit code and its JSON.
    pub fn verify(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self.run(&[&["verify", "--format", "json"], arguments].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        let json = serde_json::from_slice(&output.stdout);
        let json = json.unwrap_or_else(|_| panic!("verify ended {}: {stderr}", output.status));
        (output.status.code(), json)
    }

    /// See [`damage`]. The change is in the log's file afterwards, not in its WAL.
    pub fn damage_log(&self, change: impl FnOnce(&Connection)) {
        damage(&self.log_file(), change);
        let log = Connection::open(self.log_file()).unwrap();
        log.busy_timeout(Duration::from_secs(10)).unwrap();
        let busy: i64 =
            log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0, "somebody reads the log");
    }

    /// Runs statements on the log as it is, triggers and all.
    pub fn log_sql(&self, sql: &str) -> rusqlite::Result<()> {
        Connection::open(self.log_file()).unwrap().execute_batch(sql)
    }

    /// Runs statements on the views.
    pub fn views_sql(&self, sql: &str) {
        Connection::open(self.views_file()).unwrap().execute_batch(sql).unwrap();
    }
}

/// Changes a log behind its triggers' back: they are there again afterwards, word for word.
pub fn damage(path: &Path, change: impl FnOnce(&Connection)) {
    let log = Connection::open(path).unwrap();
    log.pragma_update(None, "synchronous", "OFF").unwrap();
    let triggers = triggers(&log);
    for (name, _) in &triggers {
        log.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    change(&log);
    for (_, sql) in &triggers {
        log.execute_batch(sql).unwrap();
    }
}

/// Name and SQL of every trigger.
pub fn triggers(log: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name";
    let mut statement = log.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// The names of a verification's findings.
pub fn findings(verified: &Value) -> Vec<&str> {
    let findings = verified["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["finding"].as_str().unwrap()).collect()
}
