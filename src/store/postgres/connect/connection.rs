//! One connection, whose calls block for a limited time.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io::Cursor;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, TryStreamExt};
use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};

use super::error::Failure;
use super::tls;
use super::url::PostgresUrl;
use crate::store::StoreError;

/// Settings of every session. Without statistics on a table that was just filled, the planner would read all
/// of it for a join with an array, whose length it does not know.
const SESSION: &str = "
    SET jit = off;
    SET plan_cache_mode = force_generic_plan;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '60s';
    SET client_min_messages = 'warning';
    SET standard_conforming_strings = on";

/// Maximum statements that a connection keeps prepared: all that it uses, for some generations of the views.
const STATEMENTS_MAX: usize = 200;

/// Maximum rows that are taken at once of those that have arrived: each wait costs as much as some rows.
const ROWS_AT_ONCE: usize = 64;

/// Drives the connections. It is never dropped, because it must not be dropped by an async task.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("postgres")
        .enable_all()
        .build()
        .expect("a thread for connections to PostgreSQL")
});

/// A parameter of a statement.
pub type Parameter<'a> = &'a (dyn ToSql + Sync);

/// A connection to a database.
pub struct Connection {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    /// The last warning that the server has sent.
    warning: Arc<Mutex<Option<String>>>,
    /// Set once an answer did not come in time: what it answers is unknown from then on.
    is_given_up: AtomicBool,
}

impl Connection {
    /// How long an answer may take: a callback has ten seconds. No setting of the server ends a wait for its
    /// standby.
    pub const DEADLINE: Duration = Duration::from_secs(8);

    /// Connects, and sets up the session.
    pub fn open(url: &PostgresUrl) -> Result<Self, Failure> {
        let tls = tls::connector(url).map_err(|detail| StoreError::NotWritable { detail })?;
        let connected = within(Self::DEADLINE, url.config.connect(tls))?;
        let (client, mut connection) = connected?;
        let warning = Arc::new(Mutex::new(None));
        let last = Arc::clone(&warning);
        RUNTIME.spawn(async move {
            while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
                match message {
                    // It is handled before the rows that follow it.
                    Ok(AsyncMessage::Notice(notice)) if notice.severity() != "NOTICE" => {
                        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                        *last = Some(notice.message().to_owned());
                    }
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        });
        let statements = Mutex::default();
        let opened = Self { client, statements, warning, is_given_up: AtomicBool::new(false) };
        opened.batch_execute(SESSION)?;
        Ok(opened)
    }

    /// Waits until everything that this connection can see is durable, also on a standby: after a crash a
    /// primary shows what it has never acknowledged. A write waits for everything before it.
    pub fn wait_until_durable(&self) -> Result<(), Failure> {
        let exists = "SELECT to_regclass('log_head') IS NOT NULL";
        if !self.query_one(exists, &[])?.try_get(0)? {
            return Ok(());
        }
        self.take_warning();
        self.execute("UPDATE log_head SET position = position", &[])?;
        self.refuse_warning().map_err(Failure::from)
    }

    /// Whether the connection is of no further use.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed() || self.is_given_up.load(Ordering::Relaxed)
    }

    /// Forgets an earlier warning.
    pub fn take_warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Fails if the server has sent a warning since the last call. During a write it means that the server has
    /// stopped waiting for its standby; its text depends on the server's language.
    pub fn refuse_warning(&self) -> Result<(), StoreError> {
        self.take_warning().map_or(Ok(()), |detail| Err(StoreError::NotReplicated { detail }))
    }

    /// All rows of a query.
    pub fn query(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failure> {
        let statement = self.prepare(sql)?;
        self.wait(self.client.query(&statement, parameters))
    }

    /// The only row of a query.
    pub fn query_one(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Row, Failure> {
        let statement = self.prepare(sql)?;
        self.wait(self.client.query_one(&statement, parameters))
    }

    /// The only row of a query, if there is one.
    pub fn query_opt(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>, Failure> {
        let statement = self.prepare(sql)?;
        self.wait(self.client.query_opt(&statement, parameters))
    }

    /// Passes each row of a query to `each`, as they arrive, until it breaks.
    pub fn for_each_row<E: From<Failure>>(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        each: &mut dyn FnMut(&Row) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let statement = self.prepare(sql)?;
        let parameters = parameters.iter().copied();
        let rows = self.wait(self.client.query_raw(&statement, parameters))?;
        let mut chunks = pin!(rows.try_ready_chunks(ROWS_AT_ONCE));
        while let Some(rows) =
            self.wait(async { chunks.try_next().await.map_err(|error| error.1) })?
        {
            for row in &rows {
                if each(row)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Executes a statement, and returns the number of rows that it has changed.
    pub fn execute(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, Failure> {
        let statement = self.prepare(sql)?;
        self.wait(self.client.execute(&statement, parameters))
    }

    /// Inserts rows by a statement `COPY … FROM STDIN (FORMAT binary)`, in one message.
    pub fn copy_in(&self, sql: &str, rows: Vec<u8>) -> Result<(), Failure> {
        self.wait(async {
            let mut sink = pin!(self.client.copy_in(sql).await?);
            sink.send(Cursor::new(rows)).await?;
            sink.finish().await.map(|_rows| ())
        })
    }

    /// Executes statements without parameters.
    pub fn batch_execute(&self, sql: &str) -> Result<(), Failure> {
        self.wait(self.client.batch_execute(sql))
    }

    /// Executes statements without parameters that may take long, as when an index is built.
    pub fn batch_execute_patiently(&self, sql: &str) -> Result<(), Failure> {
        block_on(self.client.batch_execute(sql)).map_err(Failure::from)
    }

    /// Runs `act` in a transaction that `begin` starts; it is rolled back if `act` fails.
    pub fn transaction<T, E: From<Failure>>(
        &self,
        begin: &str,
        act: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.batch_execute(begin)?;
        let _given_up_by_a_panic = GivenUpByPanic(&self.is_given_up);
        match act() {
            Ok(value) => {
                self.batch_execute("COMMIT")?;
                Ok(value)
            }
            Err(error) => {
                if !self.is_closed() && self.batch_execute("ROLLBACK").is_err() {
                    self.is_given_up.store(true, Ordering::Relaxed);
                }
                Err(error)
            }
        }
    }

    /// Runs migrations, which may take longer than the deadline.
    pub fn run_migrations(
        &mut self,
        runner: &refinery_core::Runner,
    ) -> Result<(), refinery_core::Error> {
        block_on(runner.run_async(&mut self.client)).map(|_report| ())
    }

    /// Waits for an answer, up to the deadline. After that the connection is of no further use.
    pub fn wait<T, E: Into<Failure>>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        if self.is_given_up.load(Ordering::Relaxed) {
            return Err(Failure::Deadline(Self::DEADLINE.as_secs()));
        }
        within(Self::DEADLINE, answer)
            .inspect_err(|_| {
                self.is_given_up.store(true, Ordering::Relaxed);
            })?
            .map_err(Into::into)
    }

    /// Prepares a statement, once for each connection.
    fn prepare(&self, sql: &str) -> Result<Statement, Failure> {
        if let Some(statement) = self.statements().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(self.client.prepare(sql))?;
        let mut statements = self.statements();
        if statements.len() >= STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn statements(&self) -> MutexGuard<'_, HashMap<String, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks a connection as of no further use if a panic has left its transaction open: it would be returned to
/// its pool.
struct GivenUpByPanic<'c>(&'c AtomicBool);

impl Drop for GivenUpByPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Waits for a future on this thread, up to a deadline.
fn within<T>(deadline: Duration, future: impl Future<Output = T>) -> Result<T, Failure> {
    let waited = block_on(async { tokio::time::timeout(deadline, future).await });
    waited.map_err(|_| Failure::Deadline(deadline.as_secs()))
}

/// Waits for a future on this thread, whose timers and sockets belong to [`RUNTIME`]. The thread may be one of
/// another runtime: a store blocks wherever it is called, and tokio's own `block_on` would panic there. For the
/// same reason the future is unconstrained: a used-up budget of the task around it would never be renewed.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let _timers_and_sockets = RUNTIME.enter();
    pollster::block_on(tokio::task::unconstrained(future))
}
