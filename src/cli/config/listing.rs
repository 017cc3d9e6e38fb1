//! What `config show` shows: settings, accounts, API tokens and targets of forwarding with their origins,
//! and all that is invalid. Secrets are `set`.

use std::path::Path;

use anyhow::{Error, Result};
use serde::Serialize;

use crate::config::{
    self, ConfiguredAccount, ConfiguredKey, ConfiguredSubaccounts, ConfiguredTarget,
    ConfiguredToken, Origin, Settings,
};

/// The value of a secret.
const SET: &str = "set";

/// Everything, as its JSON has it.
#[derive(Debug, Serialize)]
pub struct Listing {
    pub config_file: Option<String>,
    /// False if anything is invalid.
    pub valid: bool,
    pub settings: Vec<ListedSetting>,
    pub accounts: Vec<ListedAccount>,
    pub api_tokens: Vec<ListedToken>,
    pub targets: Vec<ListedTarget>,
    /// What is wrong with no single value above.
    pub problems: Vec<String>,
}

/// A value and its origin.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// `None` if it is invalid.
    pub value: Option<String>,
    /// What is wrong with the value, and what would be right.
    pub problem: Option<String>,
    #[serde(serialize_with = "origin")]
    pub origin: Origin,
}

#[derive(Debug, Serialize)]
pub struct ListedSetting {
    pub setting: &'static str,
    #[serde(flatten)]
    pub entry: Entry,
}

#[derive(Debug, Serialize)]
pub struct ListedAccount {
    pub account_sid: String,
    pub name: Option<String>,
    pub keys: Vec<ListedKey>,
    /// `None` if its subaccounts are not fetched.
    pub subaccounts: Option<ListedSubaccounts>,
    pub problem: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct ListedSubaccounts {
    /// `None` if they have not been fetched, or their file cannot be used.
    pub count: Option<usize>,
    pub active: Option<usize>,
    pub fetched_at: Option<String>,
    pub file: Option<String>,
    /// Why the file cannot be used. It is fetched again, so the configuration is valid all the same.
    pub problem: Option<String>,
    #[serde(serialize_with = "origin")]
    pub origin: Origin,
    /// The same for people.
    #[serde(skip)]
    pub text: String,
}

#[derive(Debug, Serialize)]
pub struct ListedKey {
    pub key: String,
    /// The file that holds the key; `None` if the setting itself does.
    pub key_file: Option<String>,
    #[serde(flatten)]
    pub entry: Entry,
}

#[derive(Debug, Serialize)]
pub struct ListedToken {
    pub name: String,
    pub scope: Option<String>,
    #[serde(flatten)]
    pub entry: Entry,
}

#[derive(Debug, Serialize)]
pub struct ListedTarget {
    pub name: String,
    /// `request` or `message`.
    pub format: Option<&'static str>,
    /// The events that it gets, in words.
    pub events: Option<String>,
    /// Its URL without the query.
    #[serde(flatten)]
    pub entry: Entry,
}

impl Listing {
    /// The listing of these settings, and of what is wrong with their file.
    pub fn of(settings: &Settings, mut problems: Vec<String>) -> Self {
        let effective = settings.effective().into_iter();
        // Tokens and targets have lists of their own.
        let elsewhere = [config::API_TOKENS.key, config::FORWARD.key];
        let effective = effective.filter(|of| !elsewhere.contains(&of.setting));
        let listed: Vec<_> = effective
            .map(|of| ListedSetting { setting: of.setting, entry: Entry::of(of.value, of.origin) })
            .collect();
        let (accounts, of_accounts) = settings.configured_accounts();
        let accounts: Vec<_> = accounts.into_iter().map(ListedAccount::from).collect();
        let each_token = settings.each_api_token();
        let api_tokens: Vec<_> = each_token.into_iter().map(ListedToken::from).collect();
        let targets: Vec<_> = settings.each_target().into_iter().map(ListedTarget::from).collect();
        let is_listed = |problem: &String| {
            let of_settings = listed.iter().map(|of| &of.entry.problem);
            let of_tokens = api_tokens.iter().map(|of| &of.entry.problem);
            let of_targets = targets.iter().map(|of| &of.entry.problem);
            of_settings.chain(of_tokens).chain(of_targets).flatten().any(|of| of == problem)
        };
        let together = [
            settings.api_tokens().err(),
            settings.refuse_open_admin().err(),
            settings.refuse_loops().err(),
        ];
        let together = together.into_iter().flatten().chain(of_accounts).map(in_words);
        let together: Vec<_> = together.filter(|problem| !is_listed(problem)).collect();
        problems.extend(together);
        problems.dedup();
        let is_valid = problems.is_empty()
            && listed.iter().all(|of| of.entry.problem.is_none())
            && api_tokens.iter().all(|of| of.entry.problem.is_none())
            && targets.iter().all(|of| of.entry.problem.is_none())
            && accounts.iter().all(ListedAccount::is_valid);
        Self {
            config_file: settings.config_file().map(in_text),
            valid: is_valid,
            settings: listed,
            accounts,
            api_tokens,
            targets,
            problems,
        }
    }
}

impl Entry {
    fn of(value: Result<String>, origin: Origin) -> Self {
        match value {
            Ok(value) => Self { value: Some(value), problem: None, origin },
            Err(error) => Self { value: None, problem: Some(in_words(error)), origin },
        }
    }
}

impl ListedAccount {
    fn is_valid(&self) -> bool {
        self.problem.is_none() && self.keys.iter().all(|key| key.entry.problem.is_none())
    }
}

impl From<ConfiguredAccount> for ListedAccount {
    fn from(account: ConfiguredAccount) -> Self {
        let ConfiguredAccount { account_sid, name, keys, subaccounts, problem } = account;
        let keys = keys.into_iter().map(ListedKey::from).collect();
        let subaccounts = subaccounts.map(ListedSubaccounts::from);
        Self { account_sid, name, keys, subaccounts, problem: problem.map(in_words) }
    }
}

impl From<ConfiguredSubaccounts> for ListedSubaccounts {
    fn from(subaccounts: ConfiguredSubaccounts) -> Self {
        let ConfiguredSubaccounts { origin, file, fetched } = subaccounts;
        let (summary, problem) = match fetched {
            Ok(summary) => (summary, None),
            Err(error) => (None, Some(in_words(error))),
        };
        let text = summary.map_or("not fetched yet".to_owned(), |summary| summary.to_string());
        Self {
            count: summary.map(|summary| summary.count),
            active: summary.map(|summary| summary.active),
            fetched_at: summary.map(|summary| summary.fetched_at.to_string()),
            file: file.map(in_text),
            text: problem.clone().unwrap_or(text),
            problem,
            origin,
        }
    }
}

impl From<ConfiguredKey> for ListedKey {
    fn from(key: ConfiguredKey) -> Self {
        let ConfiguredKey { key, origin, file, problem } = key;
        let value = problem.map_or_else(|| Ok(SET.to_owned()), Err);
        Self { key, key_file: file.as_deref().map(in_text), entry: Entry::of(value, origin) }
    }
}

impl From<ConfiguredToken> for ListedToken {
    fn from(token: ConfiguredToken) -> Self {
        let ConfiguredToken { name, origin, token } = token;
        let scope = token.as_ref().ok().map(|token| token.scope.to_string());
        Self { name, scope, entry: Entry::of(token.map(|_| SET.to_owned()), origin) }
    }
}

impl From<ConfiguredTarget> for ListedTarget {
    fn from(target: ConfiguredTarget) -> Self {
        let ConfiguredTarget { name, origin, target } = target;
        let format = target.as_ref().ok().map(|target| target.format.name());
        let events = target.as_ref().ok().map(|target| target.selection.to_string());
        let entry = Entry::of(target.map(|target| target.shown_url()), origin);
        Self { name, format, events, entry }
    }
}

fn in_words(error: Error) -> String {
    format!("{error:#}")
}

fn in_text(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

/// An origin as JSON: its kind, and what belongs to that kind.
fn origin<S: serde::Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Json<'a> {
        kind: &'static str,
        name: Option<&'a str>,
        file: Option<String>,
        line: Option<usize>,
    }
    let json = |kind, name| Json { kind, name, file: None, line: None };
    match origin {
        Origin::Flag(flag) => json("flag", Some(flag)),
        Origin::Variable(name) => json("variable", Some(name)),
        Origin::File { path, line } => {
            Json { file: Some(in_text(path)), line: *line, ..json("file", None) }
        }
        Origin::Default => json("default", None),
    }
    .serialize(serializer)
}
