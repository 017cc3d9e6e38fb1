//! A pool of read-only connections to one file.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::sqlite::files::connect::{self, BUSY_TIMEOUT};

/// Maximum readers per file: more than the threads that prepare batches, each of which may hold one while
/// it asks for another, and than those of the exports that are made at a time.
const READERS_MAX: u32 = 12;

/// How long a closed pool waits for its threads, which open connections in the background. Opening one takes
/// less than a millisecond.
const CLOSING_PATIENCE: Duration = Duration::from_secs(1);

/// A connection that is returned to its pool when it is dropped.
pub type Reader = r2d2::PooledConnection<ReaderOf>;

/// A pool of read-only connections to one file. When it has been dropped, they are closed.
pub struct Readers {
    /// `None` only while it is being dropped.
    pool: Option<r2d2::Pool<ReaderOf>>,
    /// Shared with whatever keeps a connection open.
    in_use: Arc<()>,
}

/// Opens the connections of a pool.
#[derive(Debug)]
pub struct ReaderOf {
    path: PathBuf,
    in_use: Arc<()>,
}

/// A connection of a pool.
pub struct OpenReader {
    connection: Connection,
    _in_use: Arc<()>,
}

impl Readers {
    /// A pool for the file at this path. Connections are opened on demand and kept until the pool is dropped:
    /// the last one to close removes the WAL's index, which could not be recreated on a full disk.
    pub fn new(path: &Path) -> Result<Self, StoreError> {
        let in_use = Arc::default();
        let manager = ReaderOf { path: path.to_owned(), in_use: Arc::clone(&in_use) };
        let pool = r2d2::Pool::builder()
            .max_size(READERS_MAX)
            .min_idle(Some(0))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_on_check_out(false)
            .connection_timeout(BUSY_TIMEOUT)
            .build(manager);
        Ok(Self { pool: Some(pool.map_err(pool_failed)?), in_use })
    }

    /// Takes a connection for a short statement.
    pub fn get(&self) -> Result<Reader, StoreError> {
        self.pool.as_ref().expect("it is there until it is dropped").get().map_err(pool_failed)
    }
}

impl Drop for Readers {
    /// The thread that opened the newest connection may still hold the pool for a moment. If that connection
    /// were the last to be closed, the WAL would stay, because a reader cannot empty it.
    fn drop(&mut self) {
        self.pool = None;
        let given_up_at = Instant::now() + CLOSING_PATIENCE;
        while Arc::strong_count(&self.in_use) > 1 && Instant::now() < given_up_at {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl Deref for OpenReader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl r2d2::ManageConnection for ReaderOf {
    type Connection = OpenReader;
    type Error = StoreError;

    fn connect(&self) -> Result<OpenReader, StoreError> {
        let connection = connect::for_reading(&self.path)?;
        Ok(OpenReader { connection, _in_use: Arc::clone(&self.in_use) })
    }

    fn is_valid(&self, _: &mut OpenReader) -> Result<(), StoreError> {
        Ok(())
    }

    fn has_broken(&self, _: &mut OpenReader) -> bool {
        false
    }
}

fn pool_failed(source: r2d2::Error) -> StoreError {
    StoreError::Engine { act: "get a reader".to_owned(), cause: Box::new(source) }
}
