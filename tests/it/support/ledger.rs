//! A ledger without a server: filled in this process, queried by commands, and damaged on purpose.

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
    /// A ledger whose files do not exist yet.
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// A ledger with these events, projected.
    pub fn with_events(events: &[NewEvent]) -> Self {
        let ledger = Self::new();
        ledger.append(events);
        ledger.project();
        ledger
    }

    /// Opens the ledger as its only writer.
    pub fn open(&self) -> Box<dyn Store> {
        store::open(&self.database(), Access::Create).unwrap()
    }

    /// Opens the ledger read-only.
    pub fn open_for_reading(&self) -> Box<dyn Store> {
        store::open(&self.database(), Access::Read).unwrap()
    }

    /// Appends events to the log without projecting them.
    pub fn append(&self, events: &[NewEvent]) {
        self.open().append(events).unwrap();
    }

    /// Projects every event up to the head.
    pub fn project(&self) {
        let store = self.open();
        reset_if_incompatible(&*store, Rule::default()).unwrap();
        let head = store.head().unwrap();
        catch_up(&*store, store.views(), head, &mut |_| ControlFlow::Continue(())).unwrap();
    }

    /// The ledger's location, for `store::open`.
    pub fn database(&self) -> Database {
        Database::Sqlite(self.log_file())
    }

    /// The path of a file in the ledger's folder.
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

    /// A command on this ledger.
    pub fn command(&self, arguments: &[&str]) -> Command {
        Command::new(self.folder.path(), arguments)
    }

    /// Runs a command on this ledger and waits for it to exit.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output()
    }

    /// Runs `verify`; returns its exit code and its JSON.
    pub fn verify(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self.run(&[&["verify", "--format", "json"], arguments].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        let json = serde_json::from_slice(&output.stdout);
        let json =
            json.unwrap_or_else(|_| panic!("verify exited with {}: {stderr}", output.status));
        (output.status.code(), json)
    }

    /// Changes the log with [`damage`], and moves the change from the WAL into the log's file.
    pub fn damage_log(&self, change: impl FnOnce(&Connection)) {
        damage(&self.log_file(), change);
        let log = Connection::open(self.log_file()).unwrap();
        log.busy_timeout(Duration::from_secs(10)).unwrap();
        let busy: i64 =
            log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0, "another connection is reading the log");
    }

    /// Runs statements on the log with its triggers active.
    pub fn log_sql(&self, sql: &str) -> rusqlite::Result<()> {
        Connection::open(self.log_file()).unwrap().execute_batch(sql)
    }

    /// Runs statements on the views.
    pub fn views_sql(&self, sql: &str) {
        Connection::open(self.views_file()).unwrap().execute_batch(sql).unwrap();
    }
}

/// Changes a log with its triggers removed, and recreates them unchanged afterwards.
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

/// Returns the name and SQL of every trigger.
pub fn triggers(log: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name";
    let mut statement = log.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// Returns the names of a verification's findings.
pub fn findings(verified: &Value) -> Vec<&str> {
    let findings = verified["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["finding"].as_str().unwrap()).collect()
}
