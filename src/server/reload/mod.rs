//! Reloading of keys and tokens in a running server: on SIGHUP, and when one of their files changes.
//! A key that cannot be read leaves the one in use in place.

mod file_fingerprint;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::sleep;
use std::time::Duration;

use arc_swap::ArcSwap;
use time::OffsetDateTime;

use self::file_fingerprint::FileFingerprints;
use super::handler_state::api_tokens;
use super::startup_log::warn_of_short;
use super::supervisor;
use crate::background::Background;
use crate::config::{KeySource, Settings};
use crate::domain::{AccountSid, Timestamp};
use crate::http::KeyReloadMetrics;
use crate::http::auth::tokens::Tokens;
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
    accounts: Arc<ArcSwap<Accounts>>,
    tokens: Arc<ArcSwap<Tokens>>,
    reloads: KeyReloadMetrics,
    /// The failures of the last attempt; each is logged once.
    logged: BTreeSet<String>,
}

/// The reason for a reload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The server has started: a file may have changed since the settings were read.
    Start,
    Requested,
    Changed,
}

impl Reloader {
    /// A reloader for a server that was started with these settings.
    pub fn new(
        settings: &Settings,
        accounts: &Arc<ArcSwap<Accounts>>,
        tokens: &Arc<ArcSwap<Tokens>>,
        reloads: &KeyReloadMetrics,
    ) -> Self {
        let (accounts, tokens) = (Arc::clone(accounts), Arc::clone(tokens));
        let (settings, reloads) = (settings.clone(), reloads.clone());
        Self { settings, accounts, tokens, reloads, logged: BTreeSet::new() }
    }

    /// Starts the thread, which ends when the sender of the channel is dropped.
    pub fn start(self, asked: Receiver<()>) {
        let _detached =
            Background::spawn("rotation", move |_ends_with_its_channel| self.run(&asked));
    }

    fn run(mut self, asked: &Receiver<()>) {
        let mut reason = Reason::Start;
        loop {
            self.settle();
            // Changes from here on, also of the file names, are noticed by the next poll.
            let loaded = self.fingerprints();
            self.reload(reason);
            if reason == Reason::Requested {
                supervisor::ready();
            }
            reason = loop {
                match asked.recv_timeout(POLL_EVERY) {
                    Ok(()) => {
                        supervisor::reloading();
                        break Reason::Requested;
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
        let mut failures = Vec::new();
        let mut changed = Vec::new();
        match self.settings.reread() {
            Ok(settings) => {
                self.settings = settings;
                changed = self.reload_accounts(&mut failures);
                self.reload_tokens(&mut failures, &mut changed);
            }
            Err(error) => failures.push(format!("{error:#}; all keys stay as they are")),
        }
        if reason == Reason::Start && changed.is_empty() && failures.is_empty() {
            return;
        }
        self.log(reason, &changed, &failures);
        self.reloads.reloaded(failures.is_empty(), Timestamp::from(OffsetDateTime::now_utc()));
        self.logged = failures.into_iter().collect();
    }

    /// Replaces the keys that can be read; an account whose keys cannot be read keeps those in use.
    fn reload_accounts(&self, failures: &mut Vec<String>) -> Vec<String> {
        let found = match self.settings.each_account() {
            Ok(found) => found,
            Err(error) => {
                failures.push(format!("{error:#}; all accounts keep their keys"));
                return Vec::new();
            }
        };
        let (before, mut after, mut changed) = (self.accounts.load_full(), Vec::new(), Vec::new());
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
        if !changed.is_empty() {
            self.accounts.store(Arc::new(Accounts::new(after)));
        }
        changed
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
        let (found, in_use) = (api_tokens(&configured), self.tokens.load_full());
        if found.is_empty() && !in_use.is_empty() {
            failures.push(
                "no API token is configured any more; those in use stay, because without a token \
                 everybody would have access: if that is intended, restart"
                    .to_owned(),
            );
        } else if found != *in_use {
            warn_of_short(&configured);
            self.tokens.store(Arc::new(found));
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
