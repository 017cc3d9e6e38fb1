//! Opens the views of a store: to write them, to replay into new ones, or to read them.

use uuid::Uuid;

use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::failed;
use crate::store::postgres::connect::pool::Readers;
use crate::store::postgres::connect::url::PostgresUrl;
use crate::store::postgres::views::live::{LiveViews, ViewsAccess};
use crate::store::postgres::views::schema::{self, Right};
use crate::store::postgres::views::views_impl::InTables;
use crate::store::sqlite::views::FreshViews;
use crate::store::{StoreError, Views};

/// The views of an open store.
pub enum StoreViews {
    Live(Box<InTables<LiveViews>>),
    /// Empty ones, if there are none that a reader can use.
    StandIn(Box<FreshViews>),
}

impl StoreViews {
    /// The same as [`Views`].
    pub fn as_views(&self) -> &dyn Views {
        match self {
            StoreViews::Live(views) => &**views,
            StoreViews::StandIn(views) => &**views,
        }
    }

    /// The views, as the ledger's only writer.
    pub fn open(url: &PostgresUrl, readers: Readers, ledger_id: Uuid) -> Result<Self, StoreError> {
        LiveViews::open(url, readers, ledger_id)
            .map(|live| StoreViews::Live(Box::new(InTables(live))))
    }

    /// The views that another process may write to, for a replay.
    pub fn open_to_replay(
        url: &PostgresUrl,
        readers: Readers,
        ledger_id: Uuid,
    ) -> Result<Self, StoreError> {
        if !schema::is_usable(&*readers.get()?, Right::Write).map_err(failed("open the views"))? {
            let detail = "there are none, or those of another version".to_owned();
            return Err(StoreError::DamagedViews { detail });
        }
        let live = LiveViews::open_existing(url, readers, ledger_id, ViewsAccess::Write);
        Ok(StoreViews::Live(Box::new(InTables(live))))
    }

    /// The views of another process, read-only. If they cannot be used, empty ones replace them: queries are
    /// then answered from the log alone.
    pub fn open_for_reading(
        url: &PostgresUrl,
        readers: Readers,
        ledger_id: Uuid,
    ) -> Result<Self, StoreError> {
        match schema::is_usable(&*readers.get()?, Right::Read).map_err(failed("open the views"))? {
            true => {
                let live = LiveViews::open_existing(url, readers, ledger_id, ViewsAccess::Read);
                Ok(StoreViews::Live(Box::new(InTables(live))))
            }
            false => FreshViews::stand_in(ledger_id, None).map(Box::new).map(StoreViews::StandIn),
        }
    }

    /// Takes the views out of use; whoever opens the ledger for writing makes empty ones, and removes these.
    pub fn discard(url: &PostgresUrl) -> Result<(), StoreError> {
        let discard = || {
            let connection = Connection::open(url)?;
            let sql = "UPDATE projections SET in_use = false WHERE in_use";
            connection.execute(sql, &[]).map(|_rows| ())
        };
        discard().map_err(failed("discard the views"))
    }
}
