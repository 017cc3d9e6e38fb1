//! A pool of connections that can only read.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::sqlite::files::connect::{self, BUSY_TIMEOUT};

/// How many readers of one file a process keeps open: more than there are threads that prepare
/// batches, which hold one while they ask for another.
const READERS_MAX: u32 = 8;

/// A connection that is returned to its pool when it is dropped.
pub type Reader = r2d2::PooledConnection<ReaderOf>;

/// A pool of connections that cannot write.
#[derive(Clone)]
pub struct Readers(r2d2::Pool<ReaderOf>);

/// Opens readers of one file.
#[derive(Debug)]
pub struct ReaderOf(PathBuf);

impl Readers {
    /// Of the file at this path; connections are opened when they are first needed, and closed
    /// with the pool. The last one to be closed takes the WAL's index along, which could not be
    /// made again on a full disk.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
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

    /// One of the readers, for the length of a short statement.
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
