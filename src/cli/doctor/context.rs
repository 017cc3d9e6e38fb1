//! The input of the checks: settings, files, ledger and server, each read when a check first needs it.

use std::cell::OnceCell;
use std::path::Path;

use time::OffsetDateTime;

use crate::cli::common::running_server::RunningServer;
use crate::config::{Flags, Settings};
use crate::domain::{Position, RecordedEvent, Timestamp};
use crate::store::{self, Access, Database, EventPages, Store, StoreError};

/// The number of last events that are examined.
pub const LAST_EVENTS: u64 = 1000;

/// The input of the checks.
pub struct DoctorContext {
    pub settings: Settings,
    /// Why the configuration file could not be read; every setting in it is unknown then.
    pub unreadable: Option<String>,
    /// True if a server must be running: it is then a failure that none responds.
    pub server_is_due: bool,
    pub now: Timestamp,
    /// Where the ledger is; `None` if that is not known.
    pub database: Option<Database>,
    store: OnceCell<Result<Box<dyn Store>, StoreError>>,
    last_events: OnceCell<Vec<RecordedEvent>>,
    server: OnceCell<RunningServer>,
}

impl DoctorContext {
    /// A context with the settings of the file and of the flags.
    pub fn new(config: Option<&Path>, global: Flags, flags: Flags, server_is_due: bool) -> Self {
        let (settings, unreadable) = match Settings::load(config, global.clone()) {
            Ok(settings) => (settings, None),
            Err(error) => (Settings::without_file(global), Some(format!("{error:#}"))),
        };
        let settings = settings.with_flags(flags);
        let is_known = unreadable.is_none() || settings.database_origin().is_some();
        let database = settings.place().ok().filter(|_| is_known);
        let now = Timestamp::from(OffsetDateTime::now_utc());
        let (store, last_events, server) = Default::default();
        Self { settings, unreadable, server_is_due, now, database, store, last_events, server }
    }

    /// Where the ledger is; `None` if it does not exist.
    pub fn ledger(&self) -> Option<&Database> {
        self.database.as_ref().filter(|database| database.path().exists())
    }

    /// The ledger, opened for reading; `None` if its location is not known.
    pub fn opened(&self) -> Option<Result<&dyn Store, &StoreError>> {
        let database = self.database.as_ref()?;
        let opened = self.store.get_or_init(|| store::open(database, Access::Read));
        Some(opened.as_ref().map(|store| &**store))
    }

    /// The ledger, opened for reading; `None` if it cannot be opened.
    pub fn store(&self) -> Option<&dyn Store> {
        self.opened()?.ok()
    }

    /// The last position; `None` if the log is empty or cannot be read.
    pub fn head(&self) -> Option<Position> {
        self.store()?.head().ok().filter(|head| *head > 0)
    }

    /// The last events, as far as they can be read.
    pub fn last_events(&self) -> &[RecordedEvent] {
        self.last_events.get_or_init(|| {
            let (Some(store), Some(head)) = (self.store(), self.head()) else { return Vec::new() };
            read_up_to(store, head).unwrap_or_default()
        })
    }

    /// The state of the running server, if any.
    pub fn server(&self) -> &RunningServer {
        self.server.get_or_init(|| RunningServer::query(&self.settings, self.database.as_ref()))
    }
}

/// The last events up to the head.
fn read_up_to(store: &dyn Store, head: Position) -> Result<Vec<RecordedEvent>, StoreError> {
    let pages = EventPages::new(store, head.saturating_sub(LAST_EVENTS) + 1..=head);
    Ok(pages.collect::<Result<Vec<_>, _>>()?.concat())
}
