//! From a database URL to an open store.

use std::fmt;
use std::path::PathBuf;

use super::{Store, StoreError, sqlite};

/// Where a ledger lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// The path of the log; the views lie beside it.
    Sqlite(PathBuf),
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Appending and projecting, as the only process; makes the ledger where there is none.
    Create,
    /// The same, of a ledger that must be there.
    Write,
    /// The same, throwing the views away first.
    WriteAnew,
    /// Reading beside a process that writes.
    Read,
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
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Database::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// Opens a ledger.
pub fn open(database: &Database, access: Access) -> Result<Box<dyn Store>, StoreError> {
    match database {
        Database::Sqlite(path) => Ok(Box::new(sqlite::SqliteStore::open(path, access)?)),
    }
}
