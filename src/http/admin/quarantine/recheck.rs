//! The recheck of the quarantine in a running server, one at a time: as a dry run, or for real.

use std::sync::{Arc, Mutex, TryLockError};

use arc_swap::{ArcSwap, ArcSwapOption};
use time::OffsetDateTime;

use crate::domain::Timestamp;
use crate::http::callbacks::CallbackState;
use crate::http::error::Problem;
use crate::quarantine::ListenerSettings;
use crate::quarantine::recheck::{Rechecked, recheck, recheck_dry_run};
use crate::store::{self, Access, Database, Task};
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// The recheck of one ledger's quarantine.
pub struct QuarantineRecheck {
    database: Database,
    accounts: Arc<ArcSwap<Accounts>>,
    public_urls: Arc<[BaseUrl]>,
    callback_paths: Arc<[CallbackPath]>,
    /// Locked while one runs: it reads every request.
    running: Mutex<()>,
    last: ArcSwapOption<RecheckOutcome>,
}

/// What to check against.
#[derive(Debug, Clone, Default)]
pub struct RecheckRequest {
    /// True to append nothing.
    pub dry_run: bool,
    /// Public URLs instead of the configured ones, if any.
    pub public_urls: Vec<BaseUrl>,
    /// Callback paths instead of the configured ones, if any.
    pub callback_paths: Vec<CallbackPath>,
}

/// The result of a recheck.
#[derive(Debug, Clone)]
pub struct RecheckOutcome {
    /// The request that was made.
    pub request: RecheckRequest,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What was appended, and what was refused again.
    pub rechecked: Rechecked,
}

impl RecheckRequest {
    /// The first public URL to check against instead of the configured ones; empty if there is none.
    pub fn first_public_url(&self) -> &str {
        self.public_urls.first().map_or("", BaseUrl::as_given)
    }
}

impl QuarantineRecheck {
    /// The recheck of this ledger's quarantine, with the settings of its callback listener.
    pub fn new(database: Database, listener: &CallbackState) -> Self {
        Self {
            database,
            accounts: Arc::clone(&listener.accounts),
            public_urls: Arc::clone(&listener.public_urls),
            callback_paths: Arc::clone(&listener.callback_paths),
            running: Mutex::new(()),
            last: ArcSwapOption::empty(),
        }
    }

    /// The result of the last one since the server started.
    pub fn last(&self) -> Option<Arc<RecheckOutcome>> {
        self.last.load_full()
    }

    /// Checks every request in the quarantine, and appends those that are valid unless it is a dry run.
    /// Blocks for as long as that takes.
    pub fn run(&self, request: RecheckRequest) -> Result<Arc<RecheckOutcome>, Problem> {
        let _alone = match self.running.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(running_already()),
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
        };
        let accounts = self.accounts.load_full();
        let listener = ListenerSettings {
            accounts: &accounts,
            public_urls: given_or(&request.public_urls, &self.public_urls),
            callback_paths: given_or(&request.callback_paths, &self.callback_paths),
        };
        let rechecked = match request.dry_run {
            true => self.dry_run(&listener)?,
            false => self.for_real(&listener)?,
        };
        let ended_at = Timestamp::from(OffsetDateTime::now_utc());
        let outcome = Arc::new(RecheckOutcome { request, ended_at, rechecked });
        self.last.store(Some(Arc::clone(&outcome)));
        Ok(outcome)
    }

    /// Appends what is valid with the settings as they are; `None` if another recheck is running. The error
    /// is a sentence.
    pub fn run_if_idle(&self) -> Result<Option<Rechecked>, String> {
        match self.run(RecheckRequest::default()) {
            Ok(outcome) => Ok(Some(outcome.rechecked)),
            Err(Problem::Conflict(_)) => Ok(None),
            Err(problem) => Err(problem.to_string()),
        }
    }

    fn dry_run(&self, listener: &ListenerSettings<'_>) -> Result<Rechecked, Problem> {
        let store = store::open(&self.database, Access::Read)?;
        match store::read_quarantine(&self.database)? {
            Some(quarantine) => Ok(recheck_dry_run(&*quarantine, &*store, listener)?),
            None => Ok(Rechecked::default()),
        }
    }

    fn for_real(&self, listener: &ListenerSettings<'_>) -> Result<Rechecked, Problem> {
        let Some(mut quarantine) = store::open_quarantine(&self.database)? else {
            return Ok(Rechecked::default());
        };
        let store = store::open(&self.database, Access::Append)?;
        // A command may be running one, too.
        let Some(_alone) = store.begin(Task::Recheck)? else { return Err(running_already()) };
        let prefixes = listener.callback_paths.iter().filter_map(CallbackPath::prefix);
        store.set_path_prefixes(prefixes.map(str::to_owned).collect());
        Ok(recheck(&mut *quarantine, &*store, listener, &mut |_| {})?)
    }
}

fn given_or<'a, T>(given: &'a [T], configured: &'a [T]) -> &'a [T] {
    if given.is_empty() { configured } else { given }
}

fn running_already() -> Problem {
    Problem::Conflict("another recheck is running; wait until it has finished".to_owned())
}
