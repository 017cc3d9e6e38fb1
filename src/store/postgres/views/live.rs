//! The views in use, as a server and commands read and write them.
//!
//! A replay may put another set in use at any time. So each transaction begins with a look at which one it is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::domain::message::tags::IndexedTags;
use crate::store::StoreError;
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, failed};
use crate::store::postgres::connect::pool::Readers;
use crate::store::postgres::connect::url::PostgresUrl;
use crate::store::postgres::views::schema;
use crate::store::postgres::views::tables::Tables;
use crate::store::postgres::views::views_impl::Transactions;

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
        if is_usable(&connection)? {
            return Ok(());
        }
        let start = schema::start(self.ledger_id, Default::default(), IndexedTags::All);
        let name = schema::make(&connection, &start)?;
        schema::build_indexes(&connection, &name)?;
        put_in_use(&connection, &name)?;
        for unused in schema::unused(&connection)? {
            schema::remove(&connection, &unused)?;
        }
        Ok(())
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

/// Whether the set in use can be read by this version.
pub fn is_usable(connection: &Connection) -> Result<bool, Failure> {
    match schema::in_use(connection)? {
        Some((name, format)) if format == schema::format() => {
            schema::is_complete(connection, &name)
        }
        _ => Ok(false),
    }
}

/// Puts a set in use, instead of another one if there is one.
pub fn put_in_use(connection: &Connection, name: &str) -> Result<(), Failure> {
    connection.transaction("BEGIN", || {
        connection.execute("UPDATE projections SET in_use = false WHERE in_use", &[])?;
        let sql = "UPDATE projections SET in_use = true WHERE views = $1";
        connection.execute(sql, &[&name]).map(|_rows| ())
    })
}

/// The name of the set in use, within a transaction.
fn name_in_use(connection: &Connection, lock: &str) -> Result<String, Failure> {
    let sql = format!("SELECT views FROM projections WHERE in_use {lock}");
    let row = connection.query_opt(&sql, &[])?;
    Ok(row.ok_or(Failure::NotA("a ledger with views"))?.try_get(0)?)
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
                let schema = &name_in_use(connection, "")?;
                read(&Tables { connection, schema })
            })
        };
        match once() {
            // The set was removed between the look and the read.
            Err(failure) if failure.is_missing() => once().map_err(failed(act)),
            outcome => outcome.map_err(failed(act)),
        }
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
        // No standby can have the views without their events: those are earlier in the same stream.
        let begin = "BEGIN; SET LOCAL synchronous_commit = off";
        connection
            .transaction(begin, || {
                // A swap has to wait for this transaction, and this one for a swap.
                let schema = &name_in_use(connection, "FOR UPDATE")?;
                write(Tables { connection, schema })
            })
            .map_err(failed(act))
    }
}
