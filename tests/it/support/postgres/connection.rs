//! A connection for what a test does to a database itself, beside the product.

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage, Socket};

/// A connection whose methods block.
pub struct Connection {
    // Dropped first, while its runtime still exists.
    client: Client,
    runtime: Runtime,
}

impl Connection {
    /// Connects to the database of a URL, without TLS.
    pub fn open(url: &str) -> Self {
        Self::try_open(url).unwrap_or_else(|error| panic!("{url}: {error:?}"))
    }

    /// The same, if the server accepts it.
    pub fn try_open(url: &str) -> Result<Self, Error> {
        Self::try_open_with(url, NoTls)
    }

    /// The same with this TLS, if both sides accept it.
    pub fn try_open_with<T>(url: &str, tls: T) -> Result<Self, Error>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, tls))?;
        runtime.spawn(connection);
        Ok(Self { client, runtime })
    }

    /// Runs statements that return nothing.
    pub fn execute(&self, statements: &str) -> Result<(), Error> {
        self.runtime.block_on(self.client.batch_execute(statements))
    }

    /// The text of the first row's first value; `None` if there is no row or it is NULL.
    pub fn value(&self, query: &str) -> Option<String> {
        let answers = self.runtime.block_on(self.client.simple_query(query)).unwrap();
        answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
            _ => None,
        })?
    }
}
