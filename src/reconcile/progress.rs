//! The progress of reconcile, which the ledger keeps so that the next run can resume.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ReconcileError, ReconcilePlan, ReconcileSummary, UnconfirmedSends, before, now};
use crate::domain::{AccountSid, MessageSid, Timestamp};
use crate::store::{KeptValue, Store, StoreError, Task, TaskGuard};

/// The saved progress. It can be deleted: the next run then starts over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The id of the ledger, because another one may replace it under the same name.
    ledger_id: String,
    fetching: Option<Fetching>,
    /// By account: an unfinished list, or a finished one while others are unfinished.
    sweeps: BTreeMap<String, SavedWindow>,
    /// By account: the time up to which its messages were listed, in microseconds since 1970.
    listed_until: BTreeMap<String, i64>,
    sends: UnconfirmedSends,
    last_run: Option<LastReconcile>,
    /// The number of runs.
    runs: u64,
    /// The base URL at which messages were refused.
    refused_at: String,
    /// By account and message: messages that Twilio does not have, or rejects the request for.
    refused: BTreeMap<String, RefusedMessage>,
}

/// A message that Twilio refused to return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RefusedMessage {
    times: u32,
    /// The time of the last request, in microseconds since 1970.
    at: i64,
}

/// The number of requests for a message that Twilio does not have: a message that was just created may
/// not be visible everywhere yet.
const REFUSALS_MAX: u32 = 3;

/// The maximum number of refused messages that are remembered: the progress then has some megabytes. Others
/// are requested until they are too old.
const REFUSED_MESSAGES_MAX: usize = 50_000;

/// Open messages are fetched newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fetching {
    /// The age in the plan: a run with another one starts over.
    older_than_seconds: u64,
    give_up_after_seconds: u64,
    /// Messages with this id and higher ones have been fetched.
    before: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SavedWindow {
    since: i64,
    until: i64,
    /// The requested start; `None` if the window counts back from the run.
    chosen: Option<i64>,
    next: Option<String>,
    done: bool,
}

/// A list of an account's messages and the position in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListWindow {
    pub since: Timestamp,
    pub until: Timestamp,
    pub next: Option<String>,
}

/// The result of the last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReconcile {
    /// RFC 3339.
    pub ended_at: String,
    /// The number of events that it appended.
    pub appended: u64,
    /// The reason it stopped early; `None` if it finished.
    pub stopped_by: Option<String>,
}

/// The outcome of the last run on this ledger; `None` if there was none.
pub fn last_reconcile(store: &dyn Store) -> Option<LastReconcile> {
    Progress::kept(store)?.last_run
}

/// Takes the right that excludes other runs on the same ledger.
pub fn begin(store: &dyn Store) -> Result<Box<dyn TaskGuard>, ReconcileError> {
    store.begin(Task::Reconcile)?.ok_or(ReconcileError::AtWork)
}

/// Forgets the sends whose outcome is unknown, with their addresses; the next run finds those again that are
/// still in the log.
pub fn forget_sends(store: &dyn Store) -> Result<(), ReconcileError> {
    let _alone = begin(store)?;
    match Progress::kept(store) {
        None => Ok(()),
        Some(kept) => Ok(Progress { sends: UnconfirmedSends::default(), ..kept }.write(store)?),
    }
}

impl Progress {
    /// Reads the saved progress; empty if it cannot be read, or belongs to another ledger.
    pub fn read(store: &dyn Store) -> Self {
        let ledger_id = store.ledger_id().to_string();
        Self::kept(store)
            .filter(|kept| kept.ledger_id == ledger_id)
            .unwrap_or_else(|| Self { ledger_id, ..Self::default() })
    }

    fn kept(store: &dyn Store) -> Option<Self> {
        serde_json::from_slice(&store.kept(KeptValue::Reconcile).ok()??).ok()
    }

    /// The sends whose outcome is unknown.
    pub fn sends(&self) -> &UnconfirmedSends {
        &self.sends
    }

    /// Keeps them.
    pub fn keep_sends(&mut self, sends: &UnconfirmedSends) {
        self.sends.clone_from(sends);
    }

    /// Saves the progress atomically.
    pub fn write(&self, store: &dyn Store) -> Result<(), StoreError> {
        let json = serde_json::to_vec_pretty(self).expect("the progress is JSON");
        store.keep(KeptValue::Reconcile, &json)
    }

    /// The id below which fetching resumes; `None` if it begins with the newest message.
    pub fn begin_to_fetch(&mut self, plan: &ReconcilePlan) -> Option<u64> {
        let (older_than_seconds, give_up_after_seconds) =
            (plan.older_than.as_secs(), plan.give_up_after.as_secs());
        let of_this_plan = |kept: &Fetching| {
            (kept.older_than_seconds, kept.give_up_after_seconds)
                == (older_than_seconds, give_up_after_seconds)
        };
        let kept = self.fetching.take().filter(of_this_plan);
        let before = kept.and_then(|kept| kept.before);
        self.fetching = Some(Fetching { older_than_seconds, give_up_after_seconds, before });
        before
    }

    /// Records that messages down to this id have been fetched.
    pub fn fetched_down_to(&mut self, id: u64) {
        if let Some(fetching) = &mut self.fetching {
            fetching.before = Some(id);
        }
    }

    /// Records that all messages have been fetched.
    pub fn end_fetching(&mut self) {
        self.fetching = None;
    }

    /// 0 or 1, alternating from run to run.
    pub fn turn(&self) -> u64 {
        self.runs % 2
    }

    /// True if an account's list is finished, and only newer messages are missing.
    pub fn is_listed(&self, account_sid: &AccountSid) -> bool {
        self.sweeps.get(account_sid.as_str()).is_some_and(|kept| kept.done)
    }

    /// Records that Twilio does not have a message, or rejects the request for it.
    pub fn message_refused(&mut self, account_sid: &AccountSid, message_sid: &MessageSid) {
        let at = now().micros();
        let key = message_key(account_sid, message_sid);
        let times = self.refused.get(&key).map_or(0, |refused| refused.times);
        if times > 0 || self.refused.len() < REFUSED_MESSAGES_MAX {
            self.refused.insert(key, RefusedMessage { times: times.saturating_add(1), at });
        }
    }

    /// True if Twilio has refused a message so often that it is not requested again.
    pub fn is_given_up(&self, account_sid: &AccountSid, message_sid: &MessageSid) -> bool {
        let refused = self.refused.get(&message_key(account_sid, message_sid));
        refused.is_some_and(|refused| refused.times >= REFUSALS_MAX)
    }

    /// Removes refusals of another host, which may be another region's, and of messages that are now too
    /// old to be requested.
    pub fn forget_refusals_elsewhere(&mut self, base_url: &str, plan: &ReconcilePlan) {
        if self.refused_at != base_url {
            self.refused.clear();
            base_url.clone_into(&mut self.refused_at);
        }
        let oldest = before(now(), plan.give_up_after).micros();
        self.refused.retain(|_, refused| refused.at >= oldest);
    }

    /// The next list of an account's messages: an unfinished one, or the one in the plan; `None` if that
    /// is finished.
    pub fn next_window(
        &mut self,
        account_sid: &AccountSid,
        (since, until): (Timestamp, Timestamp),
        plan: &ReconcilePlan,
    ) -> Option<ListWindow> {
        let kept = self.sweeps.get(account_sid.as_str());
        let kept = kept.filter(|kept| kept.is_of(since, until, plan));
        let window = match kept {
            Some(kept) if !kept.done => kept.clone(),
            // Only newer messages are missing.
            Some(kept) if kept.until < until.micros() => {
                SavedWindow { since: kept.until, until: until.micros(), ..kept.restarted() }
            }
            Some(_) => return None,
            None => {
                let since = self.since(account_sid, since, plan).micros();
                let chosen = plan.list_is_explicit.then_some(since);
                SavedWindow { since, until: until.micros(), chosen, next: None, done: false }
            }
        };
        let [since, until] = [window.since, window.until].map(Timestamp::from_micros);
        let next = window.next.clone();
        self.sweeps.insert(account_sid.as_str().to_owned(), window);
        Some(ListWindow { since, until, next })
    }

    /// Records that a page of an account's list has been read.
    pub fn listed(&mut self, account_sid: &AccountSid, next: Option<String>) {
        if let Some(window) = self.sweeps.get_mut(account_sid.as_str()) {
            window.done = next.is_none();
            window.next = next;
        }
    }

    /// The start of an account's list: a window that counts back from now is extended to the end of the
    /// last one, as far back as messages may still change.
    fn since(&self, account_sid: &AccountSid, since: Timestamp, plan: &ReconcilePlan) -> Timestamp {
        match self.listed_until.get(account_sid.as_str()) {
            Some(listed) if !plan.list_is_explicit => {
                let oldest = before(now(), plan.give_up_after).micros();
                Timestamp::from_micros(since.micros().min(oldest.max(*listed)))
            }
            _ => since,
        }
    }

    /// Records that every readable list is finished.
    pub fn end_listing(&mut self, plan: &ReconcilePlan) {
        let all = std::mem::take(&mut self.sweeps).into_iter();
        let (done, rest): (Vec<_>, Vec<_>) = all.partition(|(_, window)| window.done);
        self.sweeps = rest.into_iter().collect();
        if plan.list_is_explicit {
            return;
        }
        for (account_sid, window) in done {
            let until = self.listed_until.entry(account_sid).or_insert(window.until);
            *until = window.until.max(*until);
        }
    }

    /// The progress with the result of the run.
    pub fn end(mut self, summary: &ReconcileSummary, stopped_by: Option<String>) -> Self {
        self.last_run = Some(LastReconcile {
            ended_at: now().to_string(),
            appended: summary.appended,
            stopped_by,
        });
        self.runs = self.runs.wrapping_add(1);
        self
    }
}

impl SavedWindow {
    /// The same window, from its first page.
    fn restarted(&self) -> Self {
        Self { next: None, done: false, ..self.clone() }
    }

    /// True if it belongs to the window of the plan.
    fn is_of(&self, since: Timestamp, until: Timestamp, plan: &ReconcilePlan) -> bool {
        match plan.list_is_explicit {
            // Without an end of its own it ends a little later each time.
            true => self.chosen == Some(since.micros()) && self.until <= until.micros(),
            false if self.chosen.is_some() => false,
            // A list that stopped longer ago than that has nothing that would still be asked for.
            false => now().micros() - self.until <= micros(plan.give_up_after),
        }
    }
}

fn message_key(account_sid: &AccountSid, message_sid: &MessageSid) -> String {
    format!("{}/{}", account_sid.as_str(), message_sid.as_str())
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}
