//! Opens the views of a store: to write them, to replay into new ones, or to read them.

use rusqlite::Connection;
use uuid::Uuid;

use crate::store::sqlite::files::{connect, paths};
use crate::store::sqlite::views::fresh::FreshViews;
use crate::store::sqlite::views::link::ViewsLink;
use crate::store::sqlite::views::live::{LiveViews, ViewsAccess};
use crate::store::sqlite::{migrate, query_value};
use crate::store::{StoreError, Views};

/// The views of an open store.
pub enum StoreViews {
    Live(LiveViews),
    /// Empty ones, if there are none that a reader can use.
    StandIn(Box<FreshViews>),
}

impl StoreViews {
    /// The same as [`Views`].
    pub fn as_views(&self) -> &dyn Views {
        match self {
            StoreViews::Live(views) => views,
            StoreViews::StandIn(views) => &**views,
        }
    }

    /// The views, as the ledger's only writer.
    pub fn open(link: ViewsLink, ledger_id: Uuid) -> Result<Self, StoreError> {
        LiveViews::open(link, ledger_id).map(StoreViews::Live)
    }

    /// The views that another process may write to, for a replay.
    pub fn open_to_replay(link: ViewsLink, ledger_id: Uuid) -> Result<Self, StoreError> {
        LiveViews::open_existing(link, ledger_id, ViewsAccess::Write).map(StoreViews::Live)
    }

    /// The views of another process, read-only. If they cannot be used, empty ones replace them: queries are
    /// then answered from the log alone.
    pub fn open_for_reading(link: ViewsLink, ledger_id: Uuid) -> Result<Self, StoreError> {
        let stand_in =
            |damage| FreshViews::stand_in(ledger_id, damage).map(Box::new).map(StoreViews::StandIn);
        loop {
            let path = link.file();
            if !path.exists() || paths::is_half_made(&path) {
                return stand_in(None);
            }
            let opened = connect::for_reading(&path).map_err(|error| error.to_string());
            match opened.and_then(|connection| can_be_read(&connection)) {
                // A replay has just replaced the file.
                _ if link.file() != path => {}
                Ok(true) => {
                    let live = LiveViews::open_existing(link, ledger_id, ViewsAccess::Read);
                    return live.map(StoreViews::Live);
                }
                Ok(false) => return stand_in(None),
                Err(reason) => return stand_in(Some(reason)),
            }
        }
    }
}

/// Whether views are of this version and begun. A process of an older version that was killed right
/// after making them has not written their first checkpoint.
fn can_be_read(connection: &Connection) -> Result<bool, String> {
    let sql = "SELECT EXISTS (SELECT 1 FROM checkpoint) OR EXISTS (SELECT 1 FROM messages)";
    let have_begun = || query_value(connection, sql).map_err(|error| error.to_string());
    Ok(migrate::views_are_current(connection)? && have_begun()?)
}
