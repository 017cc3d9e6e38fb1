//! A new generation of the views, which a replay fills in a schema of its own, and its swap with the one in use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::domain::message::tags::IndexedTags;
use crate::domain::{MessageKey, Rule};
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, failed};
use crate::store::postgres::shared::{self, Lock};
use crate::store::postgres::views::key_filter::KeyFilter;
use crate::store::postgres::views::live::{LiveViews, ViewsAccess};
use crate::store::postgres::views::schema;
use crate::store::postgres::views::tables::{Tables, write};
use crate::store::postgres::views::views_impl::{BEGIN_WRITING, InTables, Transactions};
use crate::store::{Batch, NewGeneration, StoreError, Views};

/// New views, and the right to put them in use.
pub struct PostgresGeneration<'s> {
    in_use: &'s InTables<LiveViews>,
    views: InTables<NewViews>,
    is_indexed: AtomicBool,
    is_in_use: AtomicBool,
    _lock: Lock,
}

/// A set of views that is not in use, and a connection to it.
struct NewViews {
    ledger_id: Uuid,
    schema: String,
    indexed_tags: IndexedTags,
    connection: Mutex<Connection>,
    /// Its messages, if nobody else writes any.
    messages: Option<KeyFilter>,
}

impl<'s> PostgresGeneration<'s> {
    /// Empty views of a new generation.
    pub fn begin(in_use: &'s InTables<LiveViews>, rule: Rule) -> Result<Self, StoreError> {
        if in_use.access() == ViewsAccess::Read {
            return Err(StoreError::ReadOnly("the views cannot be rebuilt"));
        }
        let lock = shared::begin_replay(in_use.url())?
            .ok_or_else(|| StoreError::Replaying { place: in_use.url().to_string() })?;
        let so_far = || in_use.checkpoint().ok().map(|checkpoint| checkpoint.indexed_tags);
        let indexed_tags = in_use.indexed_tags().or_else(so_far).unwrap_or(IndexedTags::All);
        let make = || {
            let connection = Connection::open(in_use.url())?;
            schema::remove_unused(&connection)?;
            become_owner_of_views(&connection)?;
            let start = schema::start(in_use.ledger_id(), rule, indexed_tags.clone());
            let make = || schema::make(&connection, &start);
            let schema = connection.transaction(BEGIN_WRITING, make)?;
            Ok::<_, Failure>((schema, Mutex::new(connection)))
        };
        let (schema, connection) = make().map_err(failed("make new views"))?;
        let ledger_id = in_use.ledger_id();
        let messages = Some(KeyFilter::new());
        let views = InTables(NewViews { ledger_id, schema, indexed_tags, connection, messages });
        let (is_indexed, is_in_use) = Default::default();
        Ok(Self { in_use, views, is_indexed, is_in_use, _lock: lock })
    }
}

/// Makes what follows on this connection that of the role which has made the views in use: the owner of the
/// ledger can rebuild the views of a server whose role may do less, and the server has to write to them.
fn become_owner_of_views(connection: &Connection) -> Result<(), Failure> {
    let row = connection.query_opt(
        "SELECT quote_ident(rolname)
         FROM projections JOIN pg_namespace ON nspname = views JOIN pg_roles r ON r.oid = nspowner
         WHERE in_use AND rolname <> current_user AND pg_has_role(r.oid, 'MEMBER')",
        &[],
    )?;
    match row {
        Some(row) => connection.batch_execute(&format!("SET ROLE {}", row.try_get::<_, &str>(0)?)),
        None => Ok(()),
    }
}

impl NewGeneration for PostgresGeneration<'_> {
    fn views(&self) -> &dyn Views {
        &self.views
    }

    fn reader(&self) -> Result<Box<dyn Views>, StoreError> {
        let connection = Connection::open(self.in_use.url()).map_err(failed("read new views"))?;
        Ok(Box::new(InTables(NewViews {
            ledger_id: self.views.ledger_id,
            schema: self.views.schema.clone(),
            indexed_tags: self.views.indexed_tags.clone(),
            connection: Mutex::new(connection),
            messages: None,
        })))
    }

    fn build_indexes(&self) -> Result<(), StoreError> {
        if self.is_indexed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        // A connection of its own, so that messages can be read meanwhile.
        let build = || {
            let connection = Connection::open(self.in_use.url())?;
            // A standby that is away must not stop it.
            connection.batch_execute("SET synchronous_commit = off")?;
            schema::build_indexes(&connection, &self.views.schema)
        };
        build().map_err(failed("build the indexes of the views"))
    }

    fn swap_in(&self) -> Result<bool, StoreError> {
        self.build_indexes()?;
        let act = "put the rebuilt views in use";
        let reached = self.views.checkpoint()?.position;
        let swapped = self.in_use.write(act, &mut |tables| {
            // Views without a readable checkpoint are not worth keeping.
            if tables.checkpoint().is_ok_and(|in_use| in_use.position > reached) {
                return Ok(None);
            }
            schema::put_in_use(tables.connection, &self.views.schema)?;
            Ok(Some(tables.schema.to_owned()))
        })?;
        let Some(replaced) = swapped else { return Ok(false) };
        self.is_in_use.store(true, Ordering::Relaxed);
        let remove = || schema::remove(&Connection::open(self.in_use.url())?, &replaced);
        if let Err(error) = remove().map_err(failed("remove the old views")) {
            tracing::warn!(%error, "the views are rebuilt; the old ones are removed by the next replay");
        }
        Ok(true)
    }
}

impl Drop for PostgresGeneration<'_> {
    fn drop(&mut self) {
        if self.is_in_use.load(Ordering::Relaxed) {
            return;
        }
        let remove = || schema::remove(&Connection::open(self.in_use.url())?, &self.views.schema);
        if let Err(error) = remove().map_err(failed("remove unfinished views")) {
            tracing::warn!(%error, "unfinished views are removed by the next replay");
        }
    }
}

impl NewViews {
    fn tables<'c>(&'c self, connection: &'c Connection) -> Tables<'c> {
        Tables { connection, schema: &self.schema, shared: false }
    }
}

impl Transactions for NewViews {
    fn ledger_id(&self) -> Uuid {
        self.ledger_id
    }

    fn indexed_tags(&self) -> Option<IndexedTags> {
        Some(self.indexed_tags.clone())
    }

    fn read<T>(
        &self,
        act: &str,
        read: &mut dyn FnMut(&Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let connection = &*self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        read(&self.tables(connection)).map_err(failed(act))
    }

    fn may_have(&self, key: &MessageKey) -> bool {
        self.messages.as_ref().is_none_or(|messages| messages.may_have(key))
    }

    fn note_written(&self, batch: &Batch) {
        let Some(messages) = &self.messages else { return };
        batch.messages.iter().for_each(|change| messages.add(&change.message.key));
    }

    fn empty(&self, act: &str, rule: Rule) -> Result<(), StoreError> {
        self.write(act, &mut |tables| {
            tables.connection.batch_execute(&schema::truncate(tables.schema))?;
            let start = schema::start(self.ledger_id, rule, self.indexed_tags.clone());
            write::checkpoint(tables, &start)
        })
    }

    fn write<T>(
        &self,
        act: &str,
        write: &mut dyn FnMut(Tables<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let connection = &*self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection
            .transaction(BEGIN_WRITING, || write(self.tables(connection)))
            .map_err(failed(act))
    }
}
