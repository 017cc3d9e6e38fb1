//! A pool of connections to one database.

use super::connection::Connection;
use super::error::Failure;
use super::url::PostgresUrl;
use crate::store::StoreError;

/// Maximum connections that read at a time: more than the threads that prepare batches, each of which may
/// hold one while it asks for another.
const READERS_MAX: u32 = 8;

/// A connection that is returned to its pool when it is dropped.
pub type Reader = r2d2::PooledConnection<ReaderOf>;

/// A pool of connections to one database.
#[derive(Clone)]
pub struct Readers(r2d2::Pool<ReaderOf>);

/// Opens the connections of a pool.
#[derive(Debug)]
pub struct ReaderOf(PostgresUrl);

impl Readers {
    /// A pool for this database, whose connections are opened on demand.
    pub fn new(url: &PostgresUrl) -> Result<Self, StoreError> {
        let pool = r2d2::Pool::builder()
            .max_size(READERS_MAX)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(Connection::DEADLINE)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build(ReaderOf(url.clone()));
        Ok(Self(pool.map_err(pool_failed)?))
    }

    /// Takes a connection for a short statement.
    pub fn get(&self) -> Result<Reader, StoreError> {
        self.0.get().map_err(pool_failed)
    }
}

impl r2d2::ManageConnection for ReaderOf {
    type Connection = Connection;
    type Error = Failure;

    fn connect(&self) -> Result<Connection, Failure> {
        let connection = Connection::open(&self.0)?;
        // What an earlier primary has shown, but never acknowledged, must not be seen before it is durable.
        connection.wait_until_durable()?;
        Ok(connection)
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<(), Failure> {
        connection.batch_execute("")
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_closed()
    }
}

fn pool_failed(source: r2d2::Error) -> StoreError {
    StoreError::Engine { act: "connect to PostgreSQL".to_owned(), cause: Box::new(source) }
}
