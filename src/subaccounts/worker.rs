//! The background thread that fetches subaccounts, writes them to their file, and has them put to use.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result};
use secrecy::ExposeSecret;

use super::file::{self, ByParent};
use super::list::{self, REQUESTS_MAX};
use super::metrics::SubaccountMetrics;
use super::pace::Pace;
use super::requests::RefreshRequests;
use super::{Parent, Parents, Subaccounts};
use crate::background::{Background, Stop};
use crate::domain::AccountSid;
use crate::twilio_api::{Client, RequestLimits};

/// How long to wait before rejected callbacks are checked again: one that was rejected just before its
/// token was known is in the quarantine by then.
const RECHECK_AFTER: Duration = Duration::from_secs(1);

/// How long to wait while another recheck runs, and how often. The quarantine is read in seconds.
const RECHECK_AGAIN_AFTER: Duration = Duration::from_secs(10);
const RECHECK_TRIES: u32 = 30;

/// The input of the thread.
pub struct Job {
    /// The file that the subaccounts are written to.
    pub file: PathBuf,
    /// The requests to fetch subaccounts.
    pub requests: RefreshRequests,
    /// Returns the accounts whose subaccounts are wanted.
    pub parents: Box<dyn Fn() -> Result<Parents> + Send>,
    /// Makes a client for Twilio's API with these limits.
    pub client: Box<dyn Fn(RequestLimits) -> Result<Client> + Send>,
    /// Has the server read the file, and returns when it has.
    pub apply: Box<dyn Fn() + Send>,
    /// Checks the rejected callbacks again; false if another recheck is running.
    pub recheck: Box<dyn Fn() -> bool + Send>,
    /// The metrics of fetched subaccounts.
    pub metrics: SubaccountMetrics,
}

/// The outcome of a fetch.
#[derive(Default)]
struct Outcome {
    /// True if the file has changed.
    is_written: bool,
    /// True if the file has a subaccount that it did not have, or another token.
    has_new_keys: bool,
    /// The first failure; other accounts may have succeeded.
    failure: Option<Error>,
}

impl From<Error> for Outcome {
    fn from(failure: Error) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// The running thread.
pub struct Handle {
    requests: RefreshRequests,
    thread: Background,
}

impl Handle {
    /// Asks the thread to stop; it ends with the current request.
    pub fn stop(&self) {
        self.thread.stop();
        self.requests.stop();
    }
}

/// Starts the thread.
pub fn start(job: Job) -> Handle {
    let requests = job.requests.clone();
    Handle { requests, thread: Background::spawn("subaccounts", move |stop| job.run(stop)) }
}

impl Job {
    fn run(&self, stop: &Stop) {
        self.show(&file::read(&self.file).unwrap_or_default());
        let mut pace = Pace::starting(Instant::now());
        let mut logged = None;
        // What an earlier process fetched may have been put to use without a recheck.
        let mut is_first = true;
        while let Some(requested) = self.requests.wait(|asked| pace.wait(asked, Instant::now())) {
            let outcome = self.refresh(stop);
            let failure = outcome.failure.map(|error| format!("{error:#}"));
            pace.fetched(requested, failure.is_none(), Instant::now());
            if let Some(error) = &failure
                && !stop.is_requested()
                // One that repeats is logged once.
                && logged != failure
            {
                tracing::warn!(error, "subaccounts could not be fetched; known ones stay in use");
            }
            logged = failure;
            if outcome.is_written {
                (self.apply)();
                self.show(&file::read(&self.file).unwrap_or_default());
                // The operator's changes of settings may have put other keys to use as well.
                if is_first || requested.by_operator || outcome.has_new_keys {
                    self.recheck_soon(stop);
                }
                is_first = false;
            }
        }
    }

    fn refresh(&self, stop: &Stop) -> Outcome {
        let parents = match (self.parents)() {
            Ok(parents) if parents.is_empty() => {
                return self.forget().map_or_else(Outcome::from, |is_written| Outcome {
                    is_written,
                    ..Outcome::default()
                });
            }
            Ok(parents) => parents,
            Err(error) => {
                self.metrics.refreshed(false);
                return Outcome::from(error);
            }
        };
        let outcome = self.fetch_all(parents, stop);
        self.metrics.refreshed(outcome.failure.is_none());
        outcome
    }

    /// Fetches the subaccounts of these accounts. One whose list cannot be fetched keeps the last one.
    fn fetch_all(&self, parents: Parents, stop: &Stop) -> Outcome {
        // A damaged file was reported by those who use it.
        let before = file::read(&self.file);
        let (mut now, mut failure, mut fetched) = (ByParent::new(), None, 0);
        for (sid, parent) in parents {
            match parent.and_then(|parent| self.fetch(&parent, stop)) {
                Ok(subaccounts) => {
                    fetched += 1;
                    now.insert(sid, subaccounts);
                }
                Err(error) => {
                    failure.get_or_insert(error);
                    let last = before.as_ref().ok().and_then(|before| before.get(&sid));
                    now.extend(last.map(|last| (sid, last.clone())));
                }
            }
        }
        // The server has those of a file that can no longer be read; a file without them would remove them.
        if failure.is_some() && (fetched == 0 || before.is_err()) {
            return Outcome { failure, ..Outcome::default() };
        }
        let has_new_keys = has_new_keys(&before.unwrap_or_default(), &now);
        match file::write(&self.file, &now) {
            Ok(()) => Outcome { is_written: true, has_new_keys, failure },
            Err(error) => {
                Outcome::from(Error::new(error).context(format!("write {}", self.file.display())))
            }
        }
    }

    fn fetch(&self, parent: &Parent, stop: &Stop) -> Result<Subaccounts> {
        let stop = stop.clone();
        let client = (self.client)(RequestLimits::new(REQUESTS_MAX, move || stop.is_requested()))?;
        let Parent { account_sid, credentials, token_setting } = parent;
        let (subaccounts, without_token) = list::fetch(&client, account_sid, credentials)
            .with_context(|| format!("accounts.{account_sid}.subaccounts, with {token_setting}"))?;
        if without_token > 0 {
            tracing::warn!(
                without_token,
                "subaccounts of {account_sid} are listed without a token"
            );
        }
        let subaccounts_known = subaccounts.each.len();
        tracing::info!(subaccounts = subaccounts_known, "fetched the subaccounts of {account_sid}");
        Ok(subaccounts)
    }

    /// Deletes the file if no account has subaccounts any more: its tokens are of no use. True if there
    /// was one.
    fn forget(&self) -> Result<bool> {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            removed => removed.with_context(|| format!("remove {}", self.file.display()))?,
        }
        Ok(true)
    }

    fn recheck_soon(&self, stop: &Stop) {
        let mut wait = RECHECK_AFTER;
        for _ in 0..RECHECK_TRIES {
            if stop.sleep(wait).is_break() || (self.recheck)() {
                return;
            }
            wait = RECHECK_AGAIN_AFTER;
        }
        tracing::warn!(
            "other rechecks have not ended; run quarantine recheck for callbacks of new subaccounts"
        );
    }

    fn show(&self, known: &ByParent) {
        let count = known.values().map(|subaccounts| subaccounts.each.len()).sum();
        let oldest = known.values().map(|subaccounts| subaccounts.fetched_at).min();
        self.metrics.set_known(count, oldest);
    }
}

/// True if a subaccount is new, or has another token.
fn has_new_keys(before: &ByParent, now: &ByParent) -> bool {
    fn keys(accounts: &ByParent) -> impl Iterator<Item = (&AccountSid, &str)> {
        let each = accounts.values().flat_map(|subaccounts| &subaccounts.each);
        each.map(|known| (&known.sid, known.auth_token.expose_secret()))
    }
    let before: HashSet<_> = keys(before).collect();
    keys(now).any(|key| !before.contains(&key))
}
