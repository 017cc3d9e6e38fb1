//! PostgreSQL for tests: a new database for each, on the servers that `tests/postgres/pair` has started.
//! A test that breaks a server starts a [`Pair`] of its own.

mod connection;
mod pair;
mod pooler;

use std::path::PathBuf;

use uuid::Uuid;

pub use connection::Connection;
pub use pair::Pair;
pub use pooler::{Pooler, Pooling};

/// A primary and its synchronous standby.
#[derive(Debug, Clone)]
pub struct Servers {
    /// The URL of the primary, as a superuser.
    pub primary: String,
    /// The URL of the standby.
    pub standby: String,
    /// Certificates, data and `as-server`, as `tests/postgres/pair` describes them.
    pub folder: PathBuf,
}

impl Servers {
    /// Those that all tests share; no test may stop them or change their settings.
    pub fn shared() -> Self {
        Self::named_by(|name| std::env::var(name).ok())
            .expect("start the tests by scripts/test, or by tests/postgres/pair cargo test")
    }

    /// Those that the script's variables name.
    fn named_by(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            primary: variable("DELIVERY_LEDGER_TEST_POSTGRES")?,
            standby: variable("DELIVERY_LEDGER_TEST_POSTGRES_STANDBY")?,
            folder: variable("DELIVERY_LEDGER_TEST_POSTGRES_DIR")?.into(),
        })
    }
}

/// The URL of another database of the same server.
fn with_database(url: &str, name: &str) -> String {
    let (server, rest) = url.rsplit_once('/').unwrap();
    let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
    format!("{server}/{name}?{parameters}")
}

/// A database without tables. On the shared servers, dropping it removes it, whoever is connected.
pub struct PostgresDatabase {
    servers: Servers,
    is_shared: bool,
    name: String,
    url: String,
}

impl PostgresDatabase {
    /// A new database on the shared servers.
    pub fn fresh() -> Self {
        let mut database = Self::fresh_on(&Servers::shared());
        database.is_shared = true;
        database
    }

    /// A new database on these servers, with which it ends.
    pub fn fresh_on(servers: &Servers) -> Self {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let server = Connection::open(&servers.primary);
        server.execute(&format!("CREATE DATABASE {name}")).unwrap();
        let url = with_database(&servers.primary, &name);
        Self { servers: servers.clone(), is_shared: false, name, url }
    }

    /// Its URL on the primary, as a superuser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its URL on the standby.
    pub fn standby_url(&self) -> String {
        with_database(&self.servers.standby, &self.name)
    }

    /// A connection to it on the primary.
    pub fn connect(&self) -> Connection {
        Connection::open(&self.url)
    }

    fn remove(&self) -> Result<(), tokio_postgres::Error> {
        let server = Connection::try_open(&self.servers.primary)?;
        server.execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name))
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let removed = if self.is_shared { self.remove() } else { Ok(()) };
        // A test that has failed should say why.
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}
