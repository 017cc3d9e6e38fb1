//! Reloading of keys and tokens in a running server: on SIGHUP, and when one of their files changes.
//! A key that cannot be read leaves the one in use in place. Names of accounts are read again with them.

mod file_fingerprint;
mod subaccount_changes;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::sleep;
use std::time::Duration;

use arc_swap::ArcSwap;
use time::OffsetDateTime;

use self::file_fingerprint::FileFingerprints;
use self::subaccount_changes::SubaccountChanges;
use super::handler_state::api_tokens;
use super::startup_log::warn_of_short;
use super::supervisor;
use crate::background::Background;
use crate::config::{KeySource, Settings, subaccount_keys};
use crate::domain::account_names::AccountNames;
use crate::domain::{AccountSid, Timestamp};
use crate::http::KeyReloadMetrics;
use crate::http::auth::tokens::Tokens;
use crate::subaccounts::Subaccount;
use crate::subaccounts::requests::RefreshRequests;
use crate::text::printable;
use crate::twilio::accounts::{AccountKeys, Accounts, PRIMARY, SECONDARY};

/// How often the files are read. Twilio signs with a promoted token at once, and retries a rejected
/// callback within 15 s at most.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// How long the files must stay unchanged before they are loaded: a program that writes a file in
/// place leaves it empty, and then half written, for a moment.
const SETTLED_AFTER: Duration = Duration::from_millis(300);

/// How many times to wait for that. After these, files that keep changing are read as they are.
const SETTLING_TRIES: u32 = 20;

/// The keys and tokens in use, and the settings they are loaded from.
pub struct Reloader {
    settings: Settings,
    in_use: KeysInUse,
    /// The failures of the last attempt; each is logged once.
    logged: BTreeSet<String>,
}

/// The values in use, which the reloader replaces.
pub struct KeysInUse {
    /// The accounts with their keys.
    pub accounts: Arc<ArcSwap<Accounts>>,
    /// The names of accounts.
    pub account_names: Arc<ArcSwap<AccountNames>>,
    /// The API tokens.
    pub tokens: Arc<ArcSwap<Tokens>>,
    /// The metrics of reloads.
    pub reloads: KeyReloadMetrics,
    /// The queue in which subaccounts of accounts are requested.
    pub subaccounts: RefreshRequests,
}

/// A request to reload.
pub enum ReloadRequest {
    /// SIGHUP was received.
    HangUp,
    /// Subaccounts were fetched. The reply says that they are in use.
    Subaccounts(SyncSender<()>),
}

/// The reason for a reload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The server has started: a file may have changed since the settings were read.
    Start,
    Requested,
    Changed,
    Subaccounts,
}

impl Reloader {
    /// A reloader for a server that was started with these settings.
    pub fn new(settings: &Settings, in_use: KeysInUse) -> Self {
        Self { settings: settings.clone(), in_use, logged: BTreeSet::new() }
    }

    /// Starts the thread, which ends when every sender of the channel is dropped.
    pub fn start(self, asked: Receiver<ReloadRequest>) {
        let _detached =
            Background::spawn("rotation", move |_ends_with_its_channel| self.run(&asked));
    }

    fn run(mut self, asked: &Receiver<ReloadRequest>) {
        let mut reason = Reason::Start;
        let mut reply: Option<SyncSender<()>> = None;
        loop {
            self.settle();
            // Changes from here on, also of the file names, are noticed by the next poll.
            let loaded = self.fingerprints();
            self.reload(reason);
            if let Some(reply) = reply.take() {
                let _stopped_meanwhile = reply.try_send(());
            }
            if reason == Reason::Requested {
                supervisor::ready();
            }
            reason = loop {
                match asked.recv_timeout(POLL_EVERY) {
                    Ok(ReloadRequest::HangUp) => {
                        supervisor::reloading();
                        break Reason::Requested;
                    }
                    Ok(ReloadRequest::Subaccounts(sender)) => {
                        reply = Some(sender);
                        break Reason::Subaccounts;
                    }
                    Err(RecvTimeoutError::Timeout) if self.fingerprints() == loaded => {}
                    Err(RecvTimeoutError::Timeout) => break Reason::Changed,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            };
        }
    }

    fn fingerprints(&self) -> FileFingerprints {
        FileFingerprints::read(self.settings.key_files())
    }

    fn settle(&self) {
        for _ in 0..SETTLING_TRIES {
            let before = self.fingerprints();
            sleep(SETTLED_AFTER);
            if self.fingerprints() == before {
                return;
            }
        }
    }

    fn reload(&mut self, reason: Reason) {
        let (mut failures, mut changed) = (Vec::new(), Vec::new());
        let parents = self.settings.parent_sids();
        let mut has_other_keys = false;
        match self.settings.reread() {
            Ok(settings) => {
                self.settings = settings;
                changed = self.reload_accounts(&mut failures);
                has_other_keys = !changed.is_empty();
                if let Ok(names) = self.settings.account_names() {
                    self.in_use.account_names.store(Arc::new(names));
                }
                self.reload_tokens(&mut failures, &mut changed);
            }
            Err(error) => failures.push(format!("{error:#}; all keys stay as they are")),
        }
        let has_other_parents = self.settings.parent_sids() != parents;
        if has_other_parents
            || reason == Reason::Requested
            || (reason == Reason::Changed && has_other_keys)
        {
            self.in_use.subaccounts.by_operator();
        }
        if reason == Reason::Start && changed.is_empty() && failures.is_empty() {
            return;
        }
        self.log(reason, &changed, &failures);
        let now = Timestamp::from(OffsetDateTime::now_utc());
        self.in_use.reloads.reloaded(failures.is_empty(), now);
        self.logged = failures.into_iter().collect();
    }

    /// Replaces the keys that can be read; an account whose keys cannot be read keeps those in use. Returns
    /// what changed.
    fn reload_accounts(&self, failures: &mut Vec<String>) -> Vec<String> {
        let found = match self.settings.each_account() {
            Ok(found) => found,
            Err(error) => {
                failures.push(format!("{error:#}; all accounts keep their keys"));
                return Vec::new();
            }
        };
        let before = self.in_use.accounts.load_full();
        let (mut after, mut changed) = (Vec::new(), Vec::new());
        for (sid, keys) in found {
            let in_use = before.get(&sid);
            let keys = keys.map_err(|error| format!("{error:#}"));
            match keys.and_then(|keys| self.refuse_half_written(&sid, in_use, keys)) {
                Ok(keys) => {
                    changed.extend(what_changed(&sid, in_use, &keys));
                    after.push((sid, keys));
                }
                Err(reason) => {
                    failures.push(format!("{reason}; account {sid} keeps the keys it has"));
                    after.extend(in_use.map(|in_use| (sid, in_use.clone())));
                }
            }
        }
        let is_gone = |sid: &AccountSid| !after.iter().any(|(other, _)| other == sid);
        let gone = before.iter().filter(|(sid, _)| is_gone(sid));
        changed.extend(gone.map(|(sid, _)| format!("{sid}: removed")));
        let (subaccounts, of_subaccounts) = self.subaccounts(&before, failures);
        changed.extend(of_subaccounts.in_words());
        let parents_before = before.parents().collect();
        let parents = self.settings.account_parents().unwrap_or_else(|error| {
            failures.push(format!("{error:#}; all accounts keep their parents"));
            HashMap::clone(&parents_before)
        });
        if !changed.is_empty() || parents != parents_before {
            let accounts = Accounts::new(after).with_parents(parents);
            let accounts = accounts.with_subaccounts(subaccounts);
            self.in_use.accounts.store(Arc::new(accounts));
        }
        changed
    }

    /// The fetched subaccounts, or those in use if their file cannot be used.
    fn subaccounts(
        &self,
        before: &Accounts,
        failures: &mut Vec<String>,
    ) -> (Vec<(AccountSid, AccountKeys)>, SubaccountChanges) {
        match self.settings.subaccounts() {
            Ok(subaccounts) => {
                let keys = |known: &Subaccount| (known.sid.clone(), subaccount_keys(known));
                let after: Vec<_> = subaccounts.iter().map(keys).collect();
                let changes = SubaccountChanges::between(before, &after);
                (after, changes)
            }
            Err(error) => {
                failures.push(format!("{error:#}; subaccounts keep the keys they have"));
                let in_use = before.subaccounts().map(|(sid, keys)| (sid.clone(), keys.clone()));
                (in_use.collect(), SubaccountChanges::default())
            }
        }
    }

    /// Rejects a token that does not have the form of Twilio's if the one in use has: the file is
    /// probably half written.
    fn refuse_half_written(
        &self,
        sid: &AccountSid,
        in_use: Option<&AccountKeys>,
        keys: AccountKeys,
    ) -> Result<AccountKeys, String> {
        let Some(in_use) = in_use else { return Ok(keys) };
        let was_usual =
            |name: &str| in_use.tokens().any(|(other, token)| other == name && token.is_usual());
        let suspect = keys.tokens().find(|(name, token)| !token.is_usual() && was_usual(name));
        let Some((name, _)) = suspect else { return Ok(keys) };
        let key = match name {
            PRIMARY | SECONDARY => format!("{name} token"),
            further => format!("token {further}"),
        };
        let sources = self.settings.key_sources();
        let is_it = |source: &&KeySource| source.account_sid == sid.as_str() && source.key == key;
        let file = sources.iter().find(is_it).and_then(|source| source.file.clone());
        let file = file.map_or_else(String::new, |file| format!(" in {}", file.display()));
        Err(format!(
            "the {key}{file} does not have the form of Twilio's tokens, 32 hex digits, as \
             the one in use does; if it is right, restart"
        ))
    }

    fn reload_tokens(&self, failures: &mut Vec<String>, changed: &mut Vec<String>) {
        let configured = match self.settings.api_tokens() {
            Ok(configured) => configured,
            Err(error) => return failures.push(format!("{error:#}; the API tokens stay in use")),
        };
        let (found, in_use) = (api_tokens(&configured), self.in_use.tokens.load_full());
        if found.is_empty() && !in_use.is_empty() {
            failures.push(
                "no API token is configured any more; those in use stay, because without a token \
                 everybody would have access: if that is intended, restart"
                    .to_owned(),
            );
        } else if found != *in_use {
            warn_of_short(&configured);
            self.in_use.tokens.store(Arc::new(found));
            changed.push("API tokens".to_owned());
        }
    }

    /// Logs changes, and failures that have not been logged yet; after SIGHUP, all of them.
    fn log(&self, reason: Reason, changed: &[String], failures: &[String]) {
        for change in changed {
            tracing::info!("keys were read again: {}", printable(change));
        }
        if reason == Reason::Requested && changed.is_empty() && failures.is_empty() {
            tracing::info!("keys were read again: none has changed");
        }
        let is_new =
            |failure: &&String| reason == Reason::Requested || !self.logged.contains(*failure);
        for failure in failures.iter().filter(is_new) {
            tracing::warn!("keys could not be read again: {}", printable(failure));
        }
    }
}

/// Describes how an account's keys changed; `None` if they are the same.
fn what_changed(
    sid: &AccountSid,
    in_use: Option<&AccountKeys>,
    keys: &AccountKeys,
) -> Option<String> {
    match in_use.map(|in_use| in_use.changed_in(keys)) {
        None => Some(format!("{sid}: added")),
        Some(changed) if changed.is_empty() => None,
        Some(changed) => Some(format!("{sid}: {} changed", changed.join(", "))),
    }
}
