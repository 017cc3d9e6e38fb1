//! The PostgreSQL engine: the log in tables of one schema, and a schema for each set of views.

mod claims;
pub mod connect;
mod erase;
pub mod forward;
pub mod log;
mod migrate;
mod nodes;
pub mod quarantine;
pub mod shared;
pub mod views;

use std::ops::ControlFlow;

use uuid::Uuid;

use self::claims::PostgresClaims;
use self::connect::connection::Connection;
use self::connect::error::{Failure, engine};
use self::connect::pool::Readers;
use self::connect::url::PostgresUrl;
use self::log::check;
use self::log::log_tables::Log;
use self::nodes::PostgresNodes;
use self::shared::Others;
use self::views::generation::PostgresGeneration;
use self::views::open::StoreViews;
use super::claims::Claims;
use super::erase::Erasing;
use super::nodes::Nodes;
use super::seals::{NewSealRecord, SealQuery, SealRecord};
use super::sqlite::views::FreshViews;
use super::{
    Access, Checked, Damage, KeptValue, NewGeneration, Sizes, Store, StoreError, Task, TaskGuard,
    Views,
};
use crate::domain::event::Erased;
use crate::domain::message::tags::IndexedTags;
use crate::domain::{NewEvent, Position, RecordedEvent, Rule};

/// A ledger in a database.
pub struct PostgresStore {
    log: Log,
    views: StoreViews,
    readers: Readers,
    claims: PostgresClaims,
    nodes: PostgresNodes,
    /// Dropped last, so that it is also held while the log is reopened.
    _writer: Option<shared::Lock>,
}

impl PostgresStore {
    /// Opens the log in a database, and its views.
    pub fn open(url: &PostgresUrl, access: Access) -> Result<Self, StoreError> {
        let readers = Readers::new(url)?;
        match access {
            Access::Create
            | Access::Serve
            | Access::CreateAs(_)
            | Access::Write
            | Access::WriteDiscardingViews => Self::open_for_writing(url, readers, access),
            Access::Read => {
                let log = Log::open_for_reading(url, readers.clone())?;
                let views = StoreViews::open_for_reading(url, readers.clone(), log.ledger_id())?;
                Ok(Self::with(log, views, readers, None))
            }
            Access::Replay => {
                let log = Log::open_for_reading(url, readers.clone())?;
                let views = StoreViews::open_to_replay(url, readers.clone(), log.ledger_id())?;
                Ok(Self::with(log, views, readers, None))
            }
            Access::Append => {
                let log = Log::open_for_appending(url, readers.clone())?;
                let views = StoreViews::open_for_reading(url, readers.clone(), log.ledger_id())?;
                Ok(Self::with(log, views, readers, None))
            }
        }
    }

    fn open_for_writing(
        url: &PostgresUrl,
        readers: Readers,
        access: Access,
    ) -> Result<Self, StoreError> {
        let beside_others = if access == Access::Serve { Others::Nodes } else { Others::None };
        let writer = shared::begin_writing(url, beside_others)?
            .ok_or_else(|| StoreError::Locked { place: url.to_string() })?;
        let log = match access {
            Access::Create | Access::Serve => Log::create(url, readers.clone(), None)?,
            Access::CreateAs(ledger_id) => Log::create(url, readers.clone(), Some(ledger_id))?,
            _ => Log::open(url, readers.clone())?,
        };
        if access == Access::WriteDiscardingViews {
            StoreViews::discard(url)?;
        }
        let views = StoreViews::open(url, readers.clone(), log.ledger_id())?;
        Ok(Self::with(log, views, readers, Some(writer)))
    }

    fn with(log: Log, views: StoreViews, readers: Readers, writer: Option<shared::Lock>) -> Self {
        let claims = PostgresClaims::new(readers.clone());
        let nodes = PostgresNodes::new(log.url());
        Self { log, views, readers, claims, nodes, _writer: writer }
    }

    fn read<T>(
        &self,
        act: &str,
        read: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        read(&*self.readers.get()?).map_err(engine(act))
    }
}

impl Store for PostgresStore {
    fn ledger_id(&self) -> Uuid {
        self.log.ledger_id()
    }

    fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.log.append(events)
    }

    fn append_copies(
        &self,
        after: (Position, Option<Uuid>),
        events: &[RecordedEvent],
    ) -> Result<Position, StoreError> {
        self.log.append_copies(after, events)
    }

    fn add_erased(&self, erased: &[(Position, Erased)]) -> Result<(), StoreError> {
        self.log.add_erased(erased)
    }

    fn add_seal_records(&self, records: &[NewSealRecord]) -> Result<(), StoreError> {
        self.log
            .write("cannot seal", |appender| self::log::seals::add(appender.connection(), records))
    }

    fn seal_records(&self, query: &SealQuery) -> Result<Vec<SealRecord>, StoreError> {
        self.log.reader().with_connection(|log| self::log::seals::read(log, query))
    }

    fn set_path_prefixes(&self, prefixes: Vec<String>) {
        self.log.set_path_prefixes(prefixes);
    }

    fn set_indexed_tags(&self, indexed: IndexedTags) {
        if let StoreViews::Live(views) = &self.views {
            views.set_indexed_tags(indexed);
        }
    }

    fn indexed_tags(&self) -> Option<IndexedTags> {
        match &self.views {
            StoreViews::Live(views) => views.indexed_tags(),
            StoreViews::StandIn(_) => None,
        }
    }

    fn check_files_unmoved(&self) -> Result<(), StoreError> {
        self.log.check_connection()
    }

    fn checkpoint_wal(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn reopen(&self) -> Result<Position, StoreError> {
        self.log.reopen()
    }

    fn begin(&self, task: Task) -> Result<Option<Box<dyn TaskGuard>>, StoreError> {
        shared::begin(self.log.url(), task)
    }

    fn kept(&self, value: KeptValue) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("read a small value", |connection| shared::kept(connection, value))
    }

    fn keep(&self, value: KeptValue, bytes: &[u8]) -> Result<(), StoreError> {
        self.read("keep a small value", |connection| shared::keep(connection, value, bytes))
    }

    fn claims(&self) -> Option<&dyn Claims> {
        Some(&self.claims)
    }

    fn nodes(&self) -> Option<&dyn Nodes> {
        Some(&self.nodes)
    }

    fn erasing(&self) -> &dyn Erasing {
        self
    }

    fn sizes(&self) -> Result<Sizes, StoreError> {
        self.read("read the sizes of the ledger", sizes)
    }

    fn head(&self) -> Result<Position, StoreError> {
        self.log.reader().head()
    }

    fn scan(
        &self,
        after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.log.reader().scan(after, limit, each)
    }

    fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        self.log.reader().read_at(positions)
    }

    fn check(&self) -> Result<Checked, StoreError> {
        Ok(Checked { damages: self.check_guards()?, finished: true })
    }

    fn check_guards(&self) -> Result<Vec<Damage>, StoreError> {
        self.log.reader().with_connection(check::guards)
    }

    fn views(&self) -> &dyn Views {
        self.views.as_views()
    }

    fn begin_generation(&self, rule: Rule) -> Result<Box<dyn NewGeneration + '_>, StoreError> {
        match &self.views {
            StoreViews::Live(views) => Ok(Box::new(PostgresGeneration::begin(views, rule)?)),
            StoreViews::StandIn(_) => Err(StoreError::ReadOnly("the views cannot be rebuilt")),
        }
    }

    fn temporary_views(&self, rule: Rule) -> Result<Box<dyn Views>, StoreError> {
        Ok(Box::new(FreshViews::temporary(self.log.ledger_id(), rule)?))
    }
}

/// The bytes of the log and of all sets of views, indexes included.
fn sizes(connection: &Connection) -> Result<Sizes, Failure> {
    let row = connection.query_one(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)) FILTER (
                  WHERE relnamespace = current_schema()::regnamespace
                    AND (relispartition OR relname IN ('envelopes', 'erased', 'seal_records'))), 0)::bigint,
                coalesce(sum(pg_total_relation_size(c.oid)) FILTER (
                  WHERE nspname LIKE 'views\\_%'), 0)::bigint
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE relkind = 'r'",
        &[],
    )?;
    let (log, views): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Sizes { log: log as u64, views: views as u64, ..Sizes::default() })
}
