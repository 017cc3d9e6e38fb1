//! The input of the checks: settings, ledger and server. The ledger is read when a check first needs it.

use std::cell::OnceCell;
use std::sync::Arc;

use time::OffsetDateTime;

use super::arrivals::{self, Usual};
use super::callbacks::examine::{self, Examined};
use super::growth::Growth;
use super::server::running_server::RunningServer;
use crate::config::{ListenerConfig, Settings};
use crate::domain::{Position, RecordedEvent, Timestamp};
use crate::store::inspect::Files;
use crate::store::{self, Access, Database, EventPages, Store, StoreError};

/// The number of last events that are examined.
pub const LAST_EVENTS: u64 = 1000;

/// The input of the checks.
pub struct CheckContext {
    /// Of a running server those that it was started with.
    pub settings: Settings,
    /// Why the configuration file could not be read.
    pub unreadable: Option<String>,
    /// In a running server, the settings with the file as it is now, or why it cannot be read.
    pub file_now: Option<Result<Settings, String>>,
    /// True if a server must be running: it is then a failure that none responds.
    pub server_is_due: bool,
    /// The server that was asked over HTTP, or this process.
    pub server: RunningServer,
    /// What the callback listener accepts; `None` if the settings decide.
    pub listener: Option<ListenerConfig>,
    /// The time of the run.
    pub now: Timestamp,
    /// Where the ledger is; `None` if that is not known.
    pub database: Option<Database>,
    store: OnceCell<Result<Arc<dyn Store>, StoreError>>,
    last_events: OnceCell<Vec<RecordedEvent>>,
    usual: OnceCell<Option<Usual>>,
    growth: OnceCell<Option<Growth>>,
    examined: OnceCell<Result<Option<Examined>, String>>,
}

impl CheckContext {
    /// A context with these settings, and without a server. `unreadable` says why the configuration file
    /// could not be read, if it could not: what it would set is unknown then.
    pub fn new(settings: Settings, unreadable: Option<String>) -> Self {
        let is_known = unreadable.is_none() || settings.database_origin().is_some();
        let database = settings.place().ok().filter(|_| is_known);
        Self {
            settings,
            unreadable,
            file_now: None,
            server_is_due: false,
            server: RunningServer::default(),
            listener: None,
            now: Timestamp::from(OffsetDateTime::now_utc()),
            database,
            store: OnceCell::new(),
            last_events: OnceCell::new(),
            usual: OnceCell::new(),
            growth: OnceCell::new(),
            examined: OnceCell::new(),
        }
    }

    /// The same with a server that runs on the ledger.
    pub fn with_server(self, server: RunningServer) -> Self {
        Self { server, ..self }
    }

    /// The same in a running server, whose file may have changed since its start.
    pub fn with_file_now(self, file_now: anyhow::Result<Settings>) -> Self {
        let file_now = file_now.map_err(|error| format!("{error:#}"));
        Self { file_now: Some(file_now), ..self }
    }

    /// The same with what the callback listener accepts.
    pub fn with_listener(self, listener: ListenerConfig) -> Self {
        Self { listener: Some(listener), ..self }
    }

    /// The settings that keys and tokens are read from: a running server reads them again.
    pub fn key_settings(&self) -> &Settings {
        match &self.file_now {
            Some(Ok(settings)) => settings,
            _ => &self.settings,
        }
    }

    /// The same with a ledger that is open already.
    pub fn with_ledger(self, database: Database, store: Arc<dyn Store>) -> Self {
        Self { database: Some(database), store: OnceCell::from(Ok(store)), ..self }
    }

    /// Where the ledger is; `None` if it does not exist.
    pub fn ledger(&self) -> Option<&Database> {
        self.database.as_ref().filter(|database| database.may_exist())
    }

    /// The files of the ledger; `None` if it does not exist, or its engine has none.
    pub fn files(&self) -> Option<Files> {
        Files::of(self.ledger()?)
    }

    /// The ledger, opened for reading; `None` if its location is not known.
    pub fn opened(&self) -> Option<Result<&dyn Store, &StoreError>> {
        let database = self.database.as_ref()?;
        let open = || store::open(database, Access::Read).map(Arc::from);
        Some(self.store.get_or_init(open).as_ref().map(|store| &**store))
    }

    /// The ledger, opened for reading; `None` if it cannot be opened.
    pub fn store(&self) -> Option<&dyn Store> {
        self.opened()?.ok()
    }

    /// The last position; `None` if the log is empty or cannot be read.
    pub fn head(&self) -> Option<Position> {
        self.store()?.head().ok().filter(|head| *head > 0)
    }

    /// What is usual at this hour; `None` if that is not known.
    pub fn usual(&self) -> Option<Usual> {
        let measure = || arrivals::usual(self.store()?, self.head()?, self.now).ok().flatten();
        *self.usual.get_or_init(measure)
    }

    /// How fast the ledger grows; `None` if that is not known.
    pub fn growth(&self) -> Option<Growth> {
        let measure = || Growth::measure(self.store()?, self.head()?, self.now);
        *self.growth.get_or_init(measure)
    }

    /// The newest requests in the quarantine; `None` if there is no quarantine, or the configuration is
    /// invalid, which another check reports. The error says why it cannot be read.
    pub fn examined(&self) -> Result<Option<&Examined>, &str> {
        let examined = self.examined.get_or_init(|| {
            let configured = match &self.listener {
                Some(listener) => Some(listener.clone()),
                None => self.settings.listener().ok(),
            };
            let Some((database, configured)) = self.ledger().zip(configured) else {
                return Ok(None);
            };
            examine::examine(database, &configured).map_err(|error| error.to_string())
        });
        examined.as_ref().map(Option::as_ref).map_err(String::as_str)
    }

    /// The last events, as far as they can be read.
    pub fn last_events(&self) -> &[RecordedEvent] {
        self.last_events.get_or_init(|| {
            let (Some(store), Some(head)) = (self.store(), self.head()) else { return Vec::new() };
            read_up_to(store, head).unwrap_or_default()
        })
    }
}

/// The last events up to the head.
fn read_up_to(store: &dyn Store, head: Position) -> Result<Vec<RecordedEvent>, StoreError> {
    let pages = EventPages::new(store, head.saturating_sub(LAST_EVENTS) + 1..=head);
    Ok(pages.collect::<Result<Vec<_>, _>>()?.concat())
}
