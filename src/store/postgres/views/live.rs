//! The views in use, as a server and commands read and write them.
//!
//! A replay may put another set in use at any time. So each transaction begins with a look at which one it is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::domain::Rule;
use crate::domain::message::tags::IndexedTags;
use crate::store::StoreError;
use crate::store::nodes::SEEN_MAX;
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, failed};
use crate::store::postgres::connect::pool::Readers;
use crate::store::postgres::connect::url::PostgresUrl;
use crate::store::postgres::shared;
use crate::store::postgres::views::schema::{self, Right};
use crate::store::postgres::views::tables::Tables;
use crate::store::postgres::views::views_impl::{BEGIN_WRITING, Transactions};

/// How long a process may stop in the middle of a transaction: a frozen one would keep the row of the views
/// locked, and prevent the node that takes over from writing.
const FROZEN_TIMEOUT: &str = "SET idle_in_transaction_session_timeout = '500ms'";

/// Locks what nodes lock when they start and when one takes the lead.
const LOCK_LEAD: &str = "SELECT 1 FROM lead FOR UPDATE";

/// The views that are in use.
pub struct LiveViews {
    url: PostgresUrl,
    ledger_id: Uuid,
    access: ViewsAccess,
    readers: Readers,
    /// See [`crate::store::Store::set_indexed_tags`].
    indexed_tags: Mutex<Option<IndexedTags>>,
    /// Opened by the first write, and again after an error.
    writing: Mutex<Option<Connection>>,
    /// The generation whose checkpoint was read last: only that one may be emptied.
    examined: Mutex<Option<Uuid>>,
}

/// The purpose that the views are opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewsAccess {
    Read,
    Write,
}

impl LiveViews {
    /// Opens the views to write them. If there are none, or those of another version, empty ones are put in use,
    /// unless nodes are running that may still need them: then the next one that leads does so.
    pub fn open(url: &PostgresUrl, readers: Readers, ledger_id: Uuid) -> Result<Self, StoreError> {
        let views = Self::open_existing(url, readers, ledger_id, ViewsAccess::Write);
        views.begin_if_unusable().map_err(failed("open the views"))?;
        views.remove_leftovers();
        Ok(views)
    }

    /// Opens the views that another process writes, and has created.
    pub fn open_existing(
        url: &PostgresUrl,
        readers: Readers,
        ledger_id: Uuid,
        access: ViewsAccess,
    ) -> Self {
        let (url, indexed_tags, writing) = (url.clone(), Mutex::default(), Mutex::default());
        let examined = Mutex::default();
        Self { url, ledger_id, access, readers, indexed_tags, writing, examined }
    }

    fn begin_if_unusable(&self) -> Result<(), Failure> {
        let connection = Connection::open(&self.url)?;
        connection.transaction(BEGIN_WRITING, || {
            // Two nodes may start at the same moment.
            connection.query(LOCK_LEAD, &[])?;
            let needed = schema::in_use_exists(&connection)? && any_node_runs(&connection)?;
            if needed || schema::is_usable(&connection, Right::Write)? {
                return Ok(());
            }
            tracing::info!(database = %self.url, "there are no views of this version; they are rebuilt");
            let start = schema::start(self.ledger_id, Rule::default(), IndexedTags::All);
            schema::make_in_use(&connection, &start)
        })
    }

    /// Runs `write` in a transaction on the connection for writing.
    fn transaction<T>(
        &self,
        act: &str,
        write: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        if self.access == ViewsAccess::Read {
            return Err(StoreError::ReadOnly("the views cannot be written"));
        }
        let writing = &mut *self.writing();
        if writing.as_ref().is_none_or(Connection::is_closed) {
            let open = || {
                let connection = Connection::open(&self.url)?;
                connection.batch_execute(FROZEN_TIMEOUT)?;
                Ok::<_, Failure>(connection)
            };
            *writing = Some(open().map_err(failed(act))?);
        }
        let connection = writing.as_ref().expect("it was just opened");
        connection.transaction(BEGIN_WRITING, || write(connection)).map_err(failed(act))
    }

    fn examined(&self) -> MutexGuard<'_, Option<Uuid>> {
        self.examined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another process may be replaying; its unfinished views are no leftovers.
    fn remove_leftovers(&self) {
        let remove = || {
            let Some(_lock) = shared::begin_replay(&self.url)? else { return Ok(()) };
            let remove = || schema::remove_unused(&Connection::open(&self.url)?);
            remove().map_err(failed("remove old views"))
        };
        if let Err(error) = remove() {
            tracing::warn!(%error, "old views are removed by the next replay");
        }
    }

    /// See [`crate::store::Store::set_indexed_tags`].
    pub fn set_indexed_tags(&self, indexed: IndexedTags) {
        *self.indexed_tags.lock().unwrap_or_else(PoisonError::into_inner) = Some(indexed);
    }

    /// The tags of [`set_indexed_tags`](Self::set_indexed_tags).
    pub fn indexed_tags(&self) -> Option<IndexedTags> {
        self.indexed_tags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The purpose that they were opened for.
    pub fn access(&self) -> ViewsAccess {
        self.access
    }

    /// The database that they are in.
    pub fn url(&self) -> &PostgresUrl {
        &self.url
    }

    fn writing(&self) -> MutexGuard<'_, Option<Connection>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transactions for LiveViews {
    fn ledger_id(&self) -> Uuid {
        self.ledger_id
    }

    fn indexed_tags(&self) -> Option<IndexedTags> {
        Self::indexed_tags(self)
    }

    fn read<T>(
        &self,
        act: &str,
        read: &mut dyn FnMut(&Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let connection = &*self.readers.get()?;
        let mut once = || {
            connection.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", || {
                let schema = &schema::name_in_use(connection, "")?;
                read(&Tables { connection, schema, shared: true })
            })
        };
        match once() {
            // The set was removed between the look and the read.
            Err(failure) if failure.is_missing() => once().map_err(failed(act)),
            outcome => outcome.map_err(failed(act)),
        }
    }

    fn empty(&self, act: &str, rule: Rule) -> Result<(), StoreError> {
        let examined = *self.examined();
        // Another set: TRUNCATE would empty the tables of readers that began before it.
        self.transaction(act, |connection| {
            connection.query(LOCK_LEAD, &[])?;
            let tags = match schema::name_in_use(connection, "FOR UPDATE") {
                Ok(schema) => {
                    let tables = Tables { connection, schema: &schema, shared: true };
                    let now = tables.checkpoint().ok().map(|checkpoint| checkpoint.generation);
                    // Another node has rebuilt them since they were found to be of no use.
                    if now.is_some() && examined.is_some() && now != examined {
                        return Err(StoreError::CheckpointMoved.into());
                    }
                    self.tags_to_index(&tables)
                }
                // Those of another version.
                Err(Failure::NotA(_)) => self.indexed_tags().unwrap_or(IndexedTags::All),
                Err(failure) => return Err(failure),
            };
            schema::make_in_use(connection, &schema::start(self.ledger_id, rule, tags))
        })?;
        self.remove_leftovers();
        Ok(())
    }

    fn write<T>(
        &self,
        act: &str,
        write: &mut dyn FnMut(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.transaction(act, |connection| {
            // A swap has to wait for this transaction, and this one for a swap.
            let schema = &schema::name_in_use(connection, "FOR UPDATE")?;
            write(Tables { connection, schema, shared: true })
        })
    }

    fn note_examined(&self, generation: Uuid) {
        *self.examined() = Some(generation);
    }
}

/// Whether a server is running.
fn any_node_runs(connection: &Connection) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (
                 SELECT 1 FROM nodes
                 WHERE seen_at > clock_timestamp() - $1 * interval '1 millisecond')";
    Ok(connection.query_one(sql, &[&(SEEN_MAX.as_millis() as f64)])?.try_get(0)?)
}
