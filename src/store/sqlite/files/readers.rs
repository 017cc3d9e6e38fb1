//! A pool of read-only connections to one file.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::sqlite::files::connect::{self, BUSY_TIMEOUT};

/// Maximum readers per file: more than the threads that prepare batches, each of which may hold one while
/// it asks for another.
const READERS_MAX: u32 = 8;

/// A connection that is returned to its pool when it is dropped.
pub type Reader = r2d2::PooledConnection<ReaderOf>;

/// A pool of read-only connections to one file.
#[derive(Clone)]
pub struct Readers(r2d2::Pool<ReaderOf>);

/// Opens the connections of a pool.
#[derive(Debug)]
pub struct ReaderOf(PathBuf);

impl Readers {
    /// A pool for the file at this path. Connections are opened on demand and kept until the pool is dropped:
    /// the last one to close removes the WAL's index, which could not be recreated on a full disk.
    pub fn new(path: &Path) -> Result<Self, StoreError> {
        let pool = r2d2::Pool::builder()
            .max_size(READERS_MAX)
            .min_idle(Some(0))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_on_check_out(false)
            .connection_timeout(BUSY_TIMEOUT)
            .build(ReaderOf(path.to_owned()));
        Ok(Self(pool.map_err(pool_failed)?))
    }

    /// Takes a connection for a short statement.
    pub fn get(&self) -> Result<Reader, StoreError> {
        self.0.get().map_err(pool_failed)
    }
}

impl r2d2::ManageConnection for ReaderOf {
    type Connection = Connection;
    type Error = StoreError;

    fn connect(&self) -> Result<Connection, StoreError> {
        connect::for_reading(&self.0)
    }

    fn is_valid(&self, _: &mut Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Connection) -> bool {
        false
    }
}

fn pool_failed(source: r2d2::Error) -> StoreError {
    StoreError::Engine { act: "get a reader".to_owned(), cause: Box::new(source) }
}
