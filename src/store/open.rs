//! Database URLs, and opening the ledgers that they name.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use super::forward::ForwardStore;
use super::quarantine::Quarantine;
use super::sqlite::files::paths;
use super::sqlite::forward::SqliteForwardStore;
use super::sqlite::quarantine::SqliteQuarantine;
use super::{Access, Lock, Store, StoreError, WalCheckpoints, sqlite};

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

    /// The log's file after following links, because all files next to it are named after it.
    pub fn log_file(&self) -> Cow<'_, Path> {
        paths::behind_link(self.path())
    }

    /// The path of the log as it was given, for messages.
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

/// Opens a ledger's quarantine, which is created if it does not exist.
pub fn create_quarantine(database: &Database) -> Result<Box<dyn Quarantine>, StoreError> {
    Ok(Box::new(SqliteQuarantine::open_or_create(&database.log_file())?))
}

/// Opens a ledger's quarantine to change it; `None` if it does not exist.
pub fn open_quarantine(database: &Database) -> Result<Option<Box<dyn Quarantine>>, StoreError> {
    let found = SqliteQuarantine::open(&database.log_file())?;
    Ok(found.map(|quarantine| Box::new(quarantine) as Box<dyn Quarantine>))
}

/// Opens a ledger's quarantine read-only; `None` if it does not exist.
pub fn read_quarantine(database: &Database) -> Result<Option<Box<dyn Quarantine>>, StoreError> {
    let found = SqliteQuarantine::open_for_reading(&database.log_file())?;
    Ok(found.map(|quarantine| Box::new(quarantine) as Box<dyn Quarantine>))
}

/// Locks out a second recheck until it is dropped; `None` if another one is running.
pub fn lock_recheck(database: &Database) -> Result<Option<Lock>, StoreError> {
    Lock::soon(&sqlite::quarantine::path_of(&database.log_file()))
}

/// Opens a ledger's store of forwarding, which is created if it does not exist.
pub fn create_forward_store(database: &Database) -> Result<Box<dyn ForwardStore>, StoreError> {
    Ok(Box::new(SqliteForwardStore::open_or_create(&database.log_file())?))
}

/// Opens a ledger's store of forwarding to change it; `None` if it does not exist.
pub fn open_forward_store(
    database: &Database,
) -> Result<Option<Box<dyn ForwardStore>>, StoreError> {
    let found = SqliteForwardStore::open(&database.log_file())?;
    Ok(found.map(|store| Box::new(store) as Box<dyn ForwardStore>))
}

/// Opens a ledger's store of forwarding read-only; `None` if it does not exist.
pub fn read_forward_store(
    database: &Database,
) -> Result<Option<Box<dyn ForwardStore>>, StoreError> {
    let found = SqliteForwardStore::open_for_reading(&database.log_file())?;
    Ok(found.map(|store| Box::new(store) as Box<dyn ForwardStore>))
}
