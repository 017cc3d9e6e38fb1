//! The views in use, as a server and commands read and write them.
//!
//! A replay may put another set in use at any time. So each transaction begins with a look at which one it is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::domain::Rule;
use crate::domain::message::tags::IndexedTags;
use crate::store::StoreError;
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, failed};
use crate::store::postgres::connect::pool::Readers;
use crate::store::postgres::connect::url::PostgresUrl;
use crate::store::postgres::shared;
use crate::store::postgres::views::schema::{self, Right};
use crate::store::postgres::views::tables::Tables;
use crate::store::postgres::views::views_impl::{BEGIN_WRITING, Transactions};

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
}

/// The purpose that the views are opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewsAccess {
    Read,
    Write,
}

impl LiveViews {
    /// Opens the views as the ledger's only writer. If there are none, or those of another version, empty ones
    /// are put in use.
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
        Self { url, ledger_id, access, readers, indexed_tags, writing }
    }

    fn begin_if_unusable(&self) -> Result<(), Failure> {
        let connection = Connection::open(&self.url)?;
        if schema::is_usable(&connection, Right::Write)? {
            return Ok(());
        }
        tracing::info!(database = %self.url, "there are no views of this version; they are rebuilt");
        let start = schema::start(self.ledger_id, Rule::default(), IndexedTags::All);
        connection.transaction(BEGIN_WRITING, || schema::make_in_use(&connection, &start))
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
                read(&Tables { connection, schema })
            })
        };
        match once() {
            // The set was removed between the look and the read.
            Err(failure) if failure.is_missing() => once().map_err(failed(act)),
            outcome => outcome.map_err(failed(act)),
        }
    }

    fn empty(&self, act: &str, rule: Rule) -> Result<(), StoreError> {
        // Another set: TRUNCATE would empty the tables of readers that began before it.
        self.write(act, &mut |tables| {
            let start = schema::start(self.ledger_id, rule, self.tags_to_index(&tables));
            schema::make_in_use(tables.connection, &start)
        })?;
        self.remove_leftovers();
        Ok(())
    }

    fn write<T>(
        &self,
        act: &str,
        write: &mut dyn FnMut(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        if self.access == ViewsAccess::Read {
            return Err(StoreError::ReadOnly("the views cannot be written"));
        }
        let writing = &mut *self.writing();
        if writing.as_ref().is_none_or(Connection::is_closed) {
            *writing = Some(Connection::open(&self.url).map_err(failed(act))?);
        }
        let connection = writing.as_ref().expect("it was just opened");
        connection
            .transaction(BEGIN_WRITING, || {
                // A swap has to wait for this transaction, and this one for a swap.
                let schema = &schema::name_in_use(connection, "FOR UPDATE")?;
                write(Tables { connection, schema })
            })
            .map_err(failed(act))
    }
}
