//! Keys and tokens are read again while a server runs: on SIGHUP, and when a file that holds them has
//! changed. What cannot be read takes nothing away: what was in use stays in use.

mod file_fingerprint;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::sleep;
use std::time::Duration;

use time::OffsetDateTime;

use self::file_fingerprint::FileFingerprints;
use super::tokens::{tokens, warn_of_short};
use crate::background::Background;
use crate::config::{KeySource, Settings};
use crate::domain::{AccountSid, Timestamp};
use crate::http::auth::tokens::Tokens;
use crate::http::{InUse, Reloads};
use crate::text::shown;
use crate::twilio::accounts::{Accounts, Keys, PRIMARY, SECONDARY};

/// How often the files are looked at. Twilio signs with a promoted token at once, and tries again
/// within 15 s at most; a look reads a few small files.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the files must have stayed the same before they are read: whoever writes one without
/// renaming it has it empty, and then half written, for a moment.
const SETTLED_AFTER: Duration = Duration::from_millis(300);

/// How often that is waited for. Files that change all the time are read as they are.
const SETTLING_TRIES: u32 = 20;

/// What is in use, and where it comes from.
pub struct Reload {
    settings: Settings,
    accounts: Arc<InUse<Accounts>>,
    tokens: Arc<InUse<Tokens>>,
    reloads: Reloads,
    /// What could not be read when it was last tried; it is told once.
    told: BTreeSet<String>,
}

/// Why the keys are read again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The server has started. A file that was changed since it read its settings would not be
    /// seen to change.
    Start,
    Asked,
    Changed,
}

impl Reload {
    /// Of a server that was started with these settings.
    pub fn new(
        settings: &Settings,
        accounts: &Arc<InUse<Accounts>>,
        tokens: &Arc<InUse<Tokens>>,
        reloads: &Reloads,
    ) -> Self {
        let (accounts, tokens) = (Arc::clone(accounts), Arc::clone(tokens));
        let (settings, reloads) = (settings.clone(), reloads.clone());
        Self { settings, accounts, tokens, reloads, told: BTreeSet::new() }
    }

    /// Starts the thread that looks, which ends once nobody can ask any more.
    pub fn start(self, asked: Receiver<()>) {
        let _detached =
            Background::spawn("rotation", move |_ends_with_its_channel| self.run(&asked));
    }

    fn run(mut self, asked: &Receiver<()>) {
        let mut why = Why::Start;
        loop {
            self.settle();
            // What changes from here on, the names of the files included, is seen by the next look.
            let seen = self.look();
            self.reload(why);
            why = loop {
                match asked.recv_timeout(LOOK_EVERY) {
                    Ok(()) => break Why::Asked,
                    Err(RecvTimeoutError::Timeout) if self.look() == seen => {}
                    Err(RecvTimeoutError::Timeout) => break Why::Changed,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            };
        }
    }

    fn look(&self) -> FileFingerprints {
        FileFingerprints::of(self.settings.key_files())
    }

    fn settle(&self) {
        for _ in 0..SETTLING_TRIES {
            let seen = self.look();
            sleep(SETTLED_AFTER);
            if self.look() == seen {
                return;
            }
        }
    }

    fn reload(&mut self, why: Why) {
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
        if why == Why::Start && changed.is_empty() && failures.is_empty() {
            return;
        }
        self.tell(why, &changed, &failures);
        self.reloads.reloaded(failures.is_empty(), Timestamp::from(OffsetDateTime::now_utc()));
        self.told = failures.into_iter().collect();
    }

    /// Exchanges what can be read; an account whose keys cannot keeps those in use.
    fn reload_accounts(&self, failures: &mut Vec<String>) -> Vec<String> {
        let found = match self.settings.each_account() {
            Ok(found) => found,
            Err(error) => {
                failures.push(format!("{error:#}; all accounts keep their keys"));
                return Vec::new();
            }
        };
        let (before, mut after, mut changed) = (self.accounts.now(), Vec::new(), Vec::new());
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
            self.accounts.exchange(Accounts::new(after));
        }
        changed
    }

    /// Half a token is a token too, and takes the whole one away. Twilio's have a form, so where the
    /// one in use has it, one without is not believed while the server runs.
    fn refuse_half_written(
        &self,
        sid: &AccountSid,
        in_use: Option<&Keys>,
        keys: Keys,
    ) -> Result<Keys, String> {
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
            "the {key}{file} has not the form of Twilio's tokens, 32 hex digits, which the \
             one in use has; if it is meant, restart"
        ))
    }

    fn reload_tokens(&self, failures: &mut Vec<String>, changed: &mut Vec<String>) {
        let configured = match self.settings.api_tokens() {
            Ok(configured) => configured,
            Err(error) => return failures.push(format!("{error:#}; the API tokens stay in use")),
        };
        let (found, in_use) = (tokens(&configured), self.tokens.now());
        if found.is_empty() && !in_use.is_empty() {
            failures.push(
                "no API token is configured any more; those in use stay, because without one \
                 everybody could ask: if that is meant, restart"
                    .to_owned(),
            );
        } else if found != *in_use {
            warn_of_short(&configured);
            self.tokens.exchange(found);
            changed.push("API tokens".to_owned());
        }
    }

    /// Whoever asked is told of all that cannot be read, else it is told once.
    fn tell(&self, why: Why, changed: &[String], failures: &[String]) {
        for change in changed {
            tracing::info!("keys were read again: {}", shown(change));
        }
        if why == Why::Asked && changed.is_empty() && failures.is_empty() {
            tracing::info!("keys were read again: none has changed");
        }
        let is_new = |failure: &&String| why == Why::Asked || !self.told.contains(*failure);
        for failure in failures.iter().filter(is_new) {
            tracing::warn!("keys could not be read again: {}", shown(failure));
        }
    }
}

/// What changed of an account's keys, as one text; nothing where they are the same.
fn what_changed(sid: &AccountSid, in_use: Option<&Keys>, keys: &Keys) -> Option<String> {
    match in_use.map(|in_use| in_use.changed_in(keys)) {
        None => Some(format!("{sid}: added")),
        Some(changed) if changed.is_empty() => None,
        Some(changed) => Some(format!("{sid}: {} changed", changed.join(", "))),
    }
}
