//! Database URLs, and opening the ledgers that they name.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use super::forward::ForwardStore;
use super::postgres::PostgresStore;
use super::postgres::connect::url::PostgresUrl;
use super::postgres::forward::PostgresForwardStore;
use super::postgres::quarantine::PostgresQuarantine;
use super::quarantine::Quarantine;
use super::sqlite::SqliteStore;
use super::sqlite::files::paths;
use super::sqlite::forward::SqliteForwardStore;
use super::sqlite::quarantine::SqliteQuarantine;
use super::{Access, Store, StoreError, WalCheckpoints};

/// The location of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// The path of the log; the views are next to it.
    Sqlite(PathBuf),
    /// The same, with the log's WAL checkpoints left to another program, such as Litestream.
    SqliteReplicated(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(Box<PostgresUrl>),
}

impl Database {
    /// Parses `sqlite:PATH`, relative or absolute, or `postgres://…`.
    pub fn parse(url: &str) -> Result<Self, String> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Database::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", _)) => {
                PostgresUrl::parse(url).map(|url| Database::Postgres(Box::new(url)))
            }
            // Such a URL may contain a password, so it is not repeated.
            Some((scheme, rest)) if rest.contains('@') => {
                Err(format!("database `{scheme}:…` is neither sqlite:PATH nor postgres://…"))
            }
            _ => Err(format!("database `{url}` is neither sqlite:PATH nor postgres://…")),
        }
    }

    /// The same ledger, with the log's WAL checkpoints left to another program.
    pub fn replicated(self) -> Self {
        match self {
            Database::Sqlite(path) => Database::SqliteReplicated(path),
            other => other,
        }
    }

    /// The log's file after following links, because all files next to it are named after it; `None` if the
    /// engine has no files.
    pub fn log_file(&self) -> Option<Cow<'_, Path>> {
        match self {
            Database::Sqlite(path) | Database::SqliteReplicated(path) => {
                Some(paths::behind_link(path))
            }
            Database::Postgres(_) => None,
        }
    }

    /// The path that files of this machine are named after which belong to the ledger, but not to its store,
    /// such as `ledger.access.jsonl`: the log, or the name of the database in the current folder.
    pub fn local_path(&self) -> Cow<'_, Path> {
        match self {
            Database::Sqlite(path) | Database::SqliteReplicated(path) => paths::behind_link(path),
            Database::Postgres(url) => Cow::Owned(PathBuf::from(format!("{}.db", url.database()))),
        }
    }

    /// Where it is, for messages: the path as it was given, or the URL without its password.
    pub fn place(&self) -> String {
        match self {
            Database::Sqlite(path) | Database::SqliteReplicated(path) => path.display().to_string(),
            Database::Postgres(url) => url.to_string(),
        }
    }

    /// False if there is certainly no ledger.
    pub fn may_exist(&self) -> bool {
        match self {
            Database::Sqlite(path) | Database::SqliteReplicated(path) => path.exists(),
            Database::Postgres(_) => true,
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Database::Sqlite(path) | Database::SqliteReplicated(path) => {
                write!(f, "sqlite:{}", path.display())
            }
            Database::Postgres(url) => url.fmt(f),
        }
    }
}

/// Opens a ledger.
pub fn open(database: &Database, access: Access) -> Result<Box<dyn Store>, StoreError> {
    let sqlite = |path: &Path, wal_checkpoints| {
        let log = paths::behind_link(path);
        SqliteStore::open(&log, access, wal_checkpoints).map(|store| Box::new(store) as _)
    };
    match database {
        Database::Sqlite(path) => sqlite(path, WalCheckpoints::Own),
        Database::SqliteReplicated(path) => sqlite(path, WalCheckpoints::External),
        Database::Postgres(url) => Ok(Box::new(PostgresStore::open(url, access)?)),
    }
}

/// Where the tables of something next to the log are.
enum Place<'d> {
    /// Next to this log.
    File(Cow<'d, Path>),
    /// In this database.
    Tables(&'d PostgresUrl),
}

impl<'d> Place<'d> {
    fn of(database: &'d Database) -> Self {
        match database {
            Database::Sqlite(path) | Database::SqliteReplicated(path) => {
                Place::File(paths::behind_link(path))
            }
            Database::Postgres(url) => Place::Tables(url),
        }
    }
}

/// Opens a ledger's quarantine, which is created if it does not exist.
pub fn create_quarantine(database: &Database) -> Result<Box<dyn Quarantine>, StoreError> {
    Ok(match Place::of(database) {
        Place::File(log) => Box::new(SqliteQuarantine::open_or_create(&log)?),
        Place::Tables(url) => Box::new(PostgresQuarantine::open_or_create(url)?),
    })
}

/// Opens a ledger's quarantine to change it; `None` if it does not exist.
pub fn open_quarantine(database: &Database) -> Result<Option<Box<dyn Quarantine>>, StoreError> {
    Ok(match Place::of(database) {
        Place::File(log) => SqliteQuarantine::open(&log)?.map(|found| Box::new(found) as _),
        Place::Tables(url) => PostgresQuarantine::open(url)?.map(|found| Box::new(found) as _),
    })
}

/// Opens a ledger's quarantine read-only; `None` if it does not exist.
pub fn read_quarantine(database: &Database) -> Result<Option<Box<dyn Quarantine>>, StoreError> {
    Ok(match Place::of(database) {
        Place::File(log) => {
            SqliteQuarantine::open_for_reading(&log)?.map(|found| Box::new(found) as _)
        }
        Place::Tables(url) => {
            PostgresQuarantine::open_for_reading(url)?.map(|found| Box::new(found) as _)
        }
    })
}

/// Opens a ledger's store of forwarding, which is created if it does not exist.
pub fn create_forward_store(database: &Database) -> Result<Box<dyn ForwardStore>, StoreError> {
    Ok(match Place::of(database) {
        Place::File(log) => Box::new(SqliteForwardStore::open_or_create(&log)?),
        Place::Tables(url) => Box::new(PostgresForwardStore::open_or_create(url)?),
    })
}

/// Opens a ledger's store of forwarding to change it; `None` if it does not exist.
pub fn open_forward_store(
    database: &Database,
) -> Result<Option<Box<dyn ForwardStore>>, StoreError> {
    Ok(match Place::of(database) {
        Place::File(log) => SqliteForwardStore::open(&log)?.map(|found| Box::new(found) as _),
        Place::Tables(url) => PostgresForwardStore::open(url)?.map(|found| Box::new(found) as _),
    })
}

/// Opens a ledger's store of forwarding read-only; `None` if it does not exist.
pub fn read_forward_store(
    database: &Database,
) -> Result<Option<Box<dyn ForwardStore>>, StoreError> {
    Ok(match Place::of(database) {
        Place::File(log) => {
            SqliteForwardStore::open_for_reading(&log)?.map(|found| Box::new(found) as _)
        }
        Place::Tables(url) => {
            PostgresForwardStore::open_for_reading(url)?.map(|found| Box::new(found) as _)
        }
    })
}
