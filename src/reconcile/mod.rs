//! Reconcile: fetches from Twilio what its callbacks did not report
//! (<https://www.twilio.com/docs/messaging/guides/outbound-message-logging>).
//!
//! Messages that have been open for long are fetched one by one, and the messages of a time window
//! are listed. A response becomes an event only if it adds a fact. The next run resumes an interrupted
//! one.

mod dry_run;
mod event;
mod fetch_open;
mod fetch_prices;
mod list_window;
pub mod metrics;
mod progress;
mod unconfirmed_sends;
pub mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

pub use self::dry_run::{DryRun, dry_run};
pub use self::progress::{LastReconcile, Progress, forget_sends, last_reconcile};
pub use self::unconfirmed_sends::UnconfirmedSends;
use crate::domain::{AccountSid, NewEvent, Timestamp};
use crate::projection::known_facts::{KnownFacts, Novelty};
use crate::send::note::MAY_ANSWER;
use crate::store::{Store, StoreError};
use crate::twilio_api::{ApiError, Client, Credentials, PageError, RequestError};

/// The age from which an open message is fetched, as Twilio advises.
pub const OLDER_THAN: Duration = Duration::from_secs(12 * 60 * 60);

/// The age from which it is no longer fetched: a further status is unlikely by then
/// (<https://help.twilio.com/articles/223134347>).
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(72 * 60 * 60);

/// The length of the time window that is listed.
pub const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// The maximum number of requests of one run.
pub const REQUESTS_MAX: u64 = 10_000;

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct ReconcilePlan {
    /// Messages are fetched that have been open for longer than this.
    pub older_than: Duration,
    /// Messages are not fetched that have been open for longer than this.
    pub give_up_after: Duration,
    /// True if open messages are fetched.
    pub fetch: bool,
    /// True if messages with a known outcome are fetched whose price is not known.
    pub prices: bool,
    /// The time window that is listed; `None` if none is.
    pub list: Option<(Timestamp, Timestamp)>,
    /// True if that window was given for this run; false if it counts back from now.
    pub list_is_explicit: bool,
    /// True if the text of messages is stored.
    pub keep_content: bool,
}

/// A run and its inputs.
pub struct Run<'a> {
    /// The ledger.
    pub store: &'a dyn Store,
    /// The client for Twilio's API.
    pub client: &'a Client,
    /// The credentials of each account.
    pub accounts: &'a BTreeMap<AccountSid, Credentials>,
    /// The plan of the run.
    pub plan: &'a ReconcilePlan,
    /// Appends all events or none, even while another process appends.
    pub append: &'a mut dyn FnMut(&[NewEvent]) -> Result<(), StoreError>,
    /// Called after every step.
    pub tell: &'a mut dyn FnMut(&ReconcileSummary),
    progress: Progress,
    summary: ReconcileSummary,
    known_facts: KnownFacts,
    sends: UnconfirmedSends,
    /// The accounts that are skipped in the rest of this run, with the reason.
    refused: BTreeMap<AccountSid, ReconcileError>,
}

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReconcileSummary {
    /// Messages that were fetched: open ones, and those whose price is not known.
    pub fetched: u64,
    /// Messages in Twilio's lists.
    pub listed: u64,
    /// Messages that added a fact and were appended to the log.
    pub appended: u64,
    /// Messages that added no fact.
    pub known: u64,
    /// Inbound messages in lists.
    pub inbound: u64,
    /// Messages that Twilio does not have.
    pub not_found: u64,
    /// Open messages that were skipped because Twilio has repeatedly refused them.
    pub given_up: u64,
    /// Open messages of accounts without configured credentials.
    pub without_credentials: u64,
    /// Messages whose request failed; the next run tries again.
    pub failed: u64,
    /// Sends without a response whose message was probably found.
    pub sends_found: u64,
}

/// The reason a run stopped early. The next run resumes there.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum ReconcileError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(
        "Twilio refuses account {account_sid} (HTTP {}): its auth token, or the API key, is not \
         right, or may not read messages{}", refusal.status_code, and_words(refusal)
    )]
    NotAllowed { account_sid: String, refusal: ApiError },
    #[error("{0} messages in a row were answered with errors, the last with {1}")]
    ManyErrors(u64, ApiError),
    #[error("another reconcile is running on this ledger")]
    AtWork,
}

/// Twilio's own error text, which is appended to the explanation.
fn and_words(refusal: &ApiError) -> String {
    let code = refusal.code.map_or(String::new(), |code| format!(" error {code},"));
    refusal.words().map_or(String::new(), |words| format!("; Twilio says:{code} {words}"))
}

impl Default for ReconcilePlan {
    /// Fetches open messages and lists those of the last day.
    fn default() -> Self {
        let until = now();
        Self {
            older_than: OLDER_THAN,
            give_up_after: GIVE_UP_AFTER,
            fetch: true,
            prices: false,
            list: Some((before(until, WINDOW), until)),
            list_is_explicit: false,
            keep_content: false,
        }
    }
}

impl<'a> Run<'a> {
    /// A run of this plan, which resumes an interrupted one.
    pub fn new(
        store: &'a dyn Store,
        client: &'a Client,
        accounts: &'a BTreeMap<AccountSid, Credentials>,
        plan: &'a ReconcilePlan,
        append: &'a mut dyn FnMut(&[NewEvent]) -> Result<(), StoreError>,
        tell: &'a mut dyn FnMut(&ReconcileSummary),
    ) -> Self {
        let (progress, summary, known_facts, sends, refused) = Default::default();
        Self {
            store,
            client,
            accounts,
            plan,
            append,
            tell,
            progress,
            summary,
            known_facts,
            sends,
            refused,
        }
    }

    /// Executes the plan. The summary covers what was done even if the run stopped early.
    pub fn go(mut self) -> (ReconcileSummary, Result<(), ReconcileError>) {
        let _only_one = match progress::begin(self.store) {
            Ok(only_one) => only_one,
            Err(error) => return (self.summary, Err(error)),
        };
        self.progress = Progress::read(self.store);
        self.sends = self.progress.sends().clone();
        self.progress.forget_refusals_elsewhere(&self.client.url(""), self.plan);
        let outcome = self.all();
        let ended =
            self.progress.end(&self.summary, outcome.as_ref().err().map(ToString::to_string));
        let kept = ended.write(self.store);
        (self.summary, outcome.and(kept.map_err(ReconcileError::from)))
    }

    fn all(&mut self) -> Result<(), ReconcileError> {
        let mut listed = self.list(self.share_of_messages());
        let lists_wait =
            matches!(listed, Err(ReconcileError::Request(RequestError::RequestsUsedUp)));
        match listed {
            // A failed list must not prevent messages from being fetched.
            Err(ReconcileError::Page(_)) | Ok(()) => {}
            Err(_) if lists_wait && self.plan.fetch => {}
            Err(error) => return Err(error),
        }
        if self.plan.fetch {
            fetch_open::fetch(self)?;
            if lists_wait {
                listed = self.list(0);
            }
        }
        listed?;
        if self.plan.prices {
            fetch_prices::fetch(self)?;
        }
        // The other accounts have been reconciled.
        self.refused.pop_first().map_or(Ok(()), |(_, refused)| Err(refused))
    }

    /// Lists the window of the plan with all remaining requests except `kept_back`.
    fn list(&mut self, kept_back: u64) -> Result<(), ReconcileError> {
        let Some(window) = self.plan.list else { return Ok(()) };
        self.client.keep_back(kept_back);
        let listed = list_window::list(self, window);
        self.client.keep_back(0);
        listed
    }

    /// The number of requests that lists must leave for messages: half of them. An odd request goes to
    /// lists in one run and to messages in the next, so that neither starves if there is only one.
    fn share_of_messages(&self) -> u64 {
        match self.plan.fetch {
            true => self.client.requests_left().saturating_add(self.progress.turn()) / 2,
            false => 0,
        }
    }

    /// Skips an account that Twilio refuses in the rest of this run.
    fn refuse(&mut self, account_sid: &AccountSid, refusal: ApiError) {
        let of = account_sid.as_str().to_owned();
        let refused = ReconcileError::NotAllowed { account_sid: of, refusal };
        self.refused.entry(account_sid.clone()).or_insert(refused);
    }

    /// Appends the events that add a fact in one batch, and only then saves the progress.
    fn keep(
        &mut self,
        answers: Vec<NewEvent>,
        get_on: impl FnOnce(&mut Progress),
    ) -> Result<(), ReconcileError> {
        self.known_facts.read_on(self.store)?;
        let mut new = Vec::new();
        for event in answers {
            match self.adds_a_fact(&event)? {
                true => new.push(event),
                false => self.summary.known += 1,
            }
        }
        if !new.is_empty() {
            (self.append)(&new)?;
            self.summary.appended += new.len() as u64;
        }
        get_on(&mut self.progress);
        self.progress.keep_sends(&self.sends);
        (self.tell)(&self.summary);
        Ok(self.progress.write(self.store)?)
    }

    /// True if an event adds a fact about its message, or identifies its send; the fact is known
    /// afterwards.
    fn adds_a_fact(&mut self, event: &NewEvent) -> Result<bool, StoreError> {
        Ok(match self.known_facts.insert_if_new(Some(self.store), event)? {
            Novelty::New => true,
            Novelty::Known => event.notes.contains_key(MAY_ANSWER),
            Novelty::NoReport | Novelty::Erased => false,
        })
    }
}

fn now() -> Timestamp {
    Timestamp::from(OffsetDateTime::now_utc())
}

fn before(moment: Timestamp, length: Duration) -> Timestamp {
    let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(moment.micros().saturating_sub(micros))
}
