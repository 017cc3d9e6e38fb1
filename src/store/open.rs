//! Database URLs, and opening the ledgers that they name.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use super::forward::ForwardStore;
use super::quarantine::Quarantine;
use super::sqlite::files::paths;
use super::sqlite::forward::SqliteForwardStore;
use super::sqlite::quarantine::SqliteQuarantine;
use super::{Access, Store, StoreError, WalCheckpoints, sqlite};

/// The location of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// The path of the log; the views are next to it.
    Sqlite(PathBuf),
    /// The same, with the log's WAL checkpoints left to another program, such as Litestream.
    SqliteReplicated(PathBuf),
}

impl Database {
    /// Parses `sqlite:PATH`, relative or absolute.
    pub fn parse(url: &str) -> Result<Self, String> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Database::Sqlite(PathBuf::from(path))),
            // Such a URL may contain a password, so it is not repeated.
            Some(("postgres" | "postgresql", _)) => {
                Err("PostgreSQL is not supported by this version; use sqlite:PATH".to_owned())
            }
            Some((scheme, rest)) if rest.contains('@') => {
                Err(format!("database `{scheme}:…` is not of the form sqlite:PATH"))
            }
            _ => Err(format!("database `{url}` is not of the form sqlite:PATH")),
        }
    }

    /// The same ledger, with the log's WAL checkpoints left to another program.
    pub fn replicated(self) -> Self {
        match self {
            Database::Sqlite(path) | Database::SqliteReplicated(path) => {
                Database::SqliteReplicated(path)
            }
        }
    }

    /// The log's file after following links, because all files next to it are named after it; `None` if the
    /// engine has no files.
    pub fn log_file(&self) -> Option<Cow<'_, Path>> {
        Some(paths::behind_link(self.path()))
    }

    /// The path that files of this machine are named after which belong to the ledger, but not to its store,
    /// such as `ledger.access.jsonl`: the log.
    pub fn local_path(&self) -> Cow<'_, Path> {
        paths::behind_link(self.path())
    }

    /// Where it is, for messages: the path as it was given.
    pub fn place(&self) -> String {
        self.path().display().to_string()
    }

    /// False if there is certainly no ledger.
    pub fn may_exist(&self) -> bool {
        self.path().exists()
    }

    fn path(&self) -> &Path {
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
    let log = paths::behind_link(database.path());
    Ok(Box::new(sqlite::SqliteStore::open(&log, access, wal_checkpoints)?))
}

/// Opens a ledger's quarantine, which is created if it does not exist.
pub fn create_quarantine(database: &Database) -> Result<Box<dyn Quarantine>, StoreError> {
    Ok(Box::new(SqliteQuarantine::open_or_create(&paths::behind_link(database.path()))?))
}

/// Opens a ledger's quarantine to change it; `None` if it does not exist.
pub fn open_quarantine(database: &Database) -> Result<Option<Box<dyn Quarantine>>, StoreError> {
    let found = SqliteQuarantine::open(&paths::behind_link(database.path()))?;
    Ok(found.map(|quarantine| Box::new(quarantine) as Box<dyn Quarantine>))
}

/// Opens a ledger's quarantine read-only; `None` if it does not exist.
pub fn read_quarantine(database: &Database) -> Result<Option<Box<dyn Quarantine>>, StoreError> {
    let found = SqliteQuarantine::open_for_reading(&paths::behind_link(database.path()))?;
    Ok(found.map(|quarantine| Box::new(quarantine) as Box<dyn Quarantine>))
}

/// Opens a ledger's store of forwarding, which is created if it does not exist.
pub fn create_forward_store(database: &Database) -> Result<Box<dyn ForwardStore>, StoreError> {
    Ok(Box::new(SqliteForwardStore::open_or_create(&paths::behind_link(database.path()))?))
}

/// Opens a ledger's store of forwarding to change it; `None` if it does not exist.
pub fn open_forward_store(
    database: &Database,
) -> Result<Option<Box<dyn ForwardStore>>, StoreError> {
    let found = SqliteForwardStore::open(&paths::behind_link(database.path()))?;
    Ok(found.map(|store| Box::new(store) as Box<dyn ForwardStore>))
}

/// Opens a ledger's store of forwarding read-only; `None` if it does not exist.
pub fn read_forward_store(
    database: &Database,
) -> Result<Option<Box<dyn ForwardStore>>, StoreError> {
    let found = SqliteForwardStore::open_for_reading(&paths::behind_link(database.path()))?;
    Ok(found.map(|store| Box::new(store) as Box<dyn ForwardStore>))
}
