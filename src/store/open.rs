//! From a database URL to an open store.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use super::sqlite::files::paths;
use super::{Store, StoreError, sqlite};

/// Where a ledger lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// The path of the log; the views lie beside it.
    Sqlite(PathBuf),
    /// The same, with the log's WAL checkpoints left to another program, such as Litestream.
    SqliteReplicated(PathBuf),
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Appending and projecting, as the only process; makes the ledger where there is none.
    Create,
    /// The same, of a ledger that must be there.
    Write,
    /// The same, throwing the views away first.
    WriteDiscardingViews,
    /// Reading, and rebuilding the views, beside a process that appends and projects.
    Replay,
    /// Reading and appending, beside a process that appends and projects.
    Append,
    /// Reading beside a process that writes.
    Read,
}

/// Who carries the log's WAL over into its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalCheckpoints {
    Own,
    External,
}

impl Database {
    /// Reads `sqlite:PATH`, relative or absolute.
    pub fn parse(url: &str) -> Result<Self, String> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Database::Sqlite(PathBuf::from(path))),
            // A URL that may hold a password is not repeated.
            Some(("postgres" | "postgresql", _)) => {
                Err("PostgreSQL is not supported by this version; use sqlite:PATH".to_owned())
            }
            Some((scheme, rest)) if rest.contains('@') => {
                Err(format!("database `{scheme}:…` is not of the form sqlite:PATH"))
            }
            _ => Err(format!("database `{url}` is not of the form sqlite:PATH")),
        }
    }

    /// The same place, with the log's WAL checkpoints left to another program.
    pub fn replicated(self) -> Self {
        match self {
            Database::Sqlite(path) | Database::SqliteReplicated(path) => {
                Database::SqliteReplicated(path)
            }
        }
    }

    /// The log's file, behind any link: what lies beside a ledger is named after it, whichever name
    /// the ledger is asked for by.
    pub fn log_file(&self) -> Cow<'_, Path> {
        paths::behind_link(self.path())
    }

    /// The path of the log as it was given, to be told.
    pub fn path(&self) -> &Path {
        match self {
            Database::Sqlite(path) | Database::SqliteReplicated(path) => path,
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.path().display())
    }
}

/// Opens a ledger.
pub fn open(database: &Database, access: Access) -> Result<Box<dyn Store>, StoreError> {
    let wal_checkpoints = match database {
        Database::Sqlite(_) => WalCheckpoints::Own,
        Database::SqliteReplicated(_) => WalCheckpoints::External,
    };
    Ok(Box::new(sqlite::SqliteStore::open(&database.log_file(), access, wal_checkpoints)?))
}
