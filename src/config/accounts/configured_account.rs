//! The accounts and their keys as `config show` lists them: the origin of each key, and what is wrong
//! with it. No key is part of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Error, Result};
use secrecy::SecretString;

use super::key_source::KeySource;
use super::subaccounts::SubaccountsSummary;
use crate::config::{Origin, Settings, credential};

/// One account.
#[derive(Debug)]
pub struct ConfiguredAccount {
    /// The SID as it was given.
    pub account_sid: String,
    /// The configured name, if any.
    pub name: Option<String>,
    /// Its keys.
    pub keys: Vec<ConfiguredKey>,
    /// `None` if its subaccounts are not fetched.
    pub subaccounts: Option<ConfiguredSubaccounts>,
    /// What is wrong with the account apart from one of its keys.
    pub problem: Option<Error>,
}

/// The subaccounts of an account, in numbers.
#[derive(Debug)]
pub struct ConfiguredSubaccounts {
    /// Where they are configured.
    pub origin: Origin,
    /// The file that they were written to.
    pub file: Option<PathBuf>,
    /// `None` if they have not been fetched yet; the error says why the file cannot be used.
    pub fetched: Result<Option<SubaccountsSummary>>,
}

/// One key of an account.
#[derive(Debug)]
pub struct ConfiguredKey {
    /// What it is called: `primary token`, `secondary token`, `token NAME`, `shared key NAME`.
    pub key: String,
    /// Where it is configured.
    pub origin: Origin,
    /// The file that holds it; `None` if the setting itself does.
    pub file: Option<PathBuf>,
    /// The reason it is invalid, if it is.
    pub problem: Option<Error>,
}

impl Settings {
    /// Every account that is named anywhere, and what is wrong with all of them. That there is no account
    /// at all is not wrong: only some commands need one.
    pub fn configured_accounts(&self) -> (Vec<ConfiguredAccount>, Vec<Error>) {
        let in_environment = self.environment.get("TWILIO_ACCOUNT_SID");
        let sids: BTreeSet<_> = self.file.accounts.keys().chain(in_environment).collect();
        let (mut each, mut problems) = match self.each_account() {
            Ok(each) => (each, Vec::new()),
            Err(problem) => (Default::default(), vec![problem]),
        };
        let has_token = ["TWILIO_AUTH_TOKEN", "TWILIO_AUTH_TOKEN_FILE"]
            .iter()
            .any(|name| self.environment.contains_key(*name));
        if sids.is_empty() && !has_token {
            problems.clear();
        }
        problems.extend(self.account_names().err());
        problems.extend(self.account_parents().err());
        let mut summaries = self.subaccounts_summaries();
        // A token in the place of a SID stays a secret.
        let sids = sids.into_iter().filter(|sid| !credential::is_token(sid));
        let accounts = sids.map(|sid| {
            let sources = self.key_sources().into_iter();
            let own = sources.filter(|source| source.account_sid == *sid);
            let keys: Vec<_> = own.map(|source| self.configured_key(source)).collect();
            let has_it = |problem: &Error| {
                let text = format!("{problem:#}");
                let of_keys = keys.iter().filter_map(|key| key.problem.as_ref());
                of_keys.map(|problem| format!("{problem:#}")).any(|of_key| of_key == text)
            };
            let found = each.iter().find(|(of, _)| of.as_str() == sid).map(|(of, _)| of.clone());
            let problem = found.and_then(|of| each.remove(&of)?.err());
            let problem = problem.filter(|problem| !has_it(problem));
            let name = self.file.accounts.get(sid).and_then(|entry| entry.name.clone());
            let subaccounts = summaries.iter().position(|(of, _)| of == sid);
            let subaccounts =
                subaccounts.map(|at| self.configured_subaccounts(summaries.swap_remove(at)));
            ConfiguredAccount { account_sid: sid.clone(), name, keys, subaccounts, problem }
        });
        (accounts.collect(), problems)
    }

    fn configured_subaccounts(
        &self,
        (sid, fetched): (String, Result<Option<SubaccountsSummary>>),
    ) -> ConfiguredSubaccounts {
        let origin = self.origin_in_file(&[&format!("accounts.{sid}.subaccounts")]);
        ConfiguredSubaccounts { origin, file: self.subaccounts_file().ok(), fetched }
    }

    fn configured_key(&self, source: KeySource) -> ConfiguredKey {
        let problem = self.check_key(&source).err();
        let KeySource { account_sid, key, setting, file } = source;
        let origin = match setting.starts_with("TWILIO_") {
            true => Origin::Variable(setting),
            false => self.origin_in_file(&[&format!("accounts.{account_sid}.{setting}")]),
        };
        ConfiguredKey { key, origin, file, problem }
    }

    /// Reads one key, whatever the account's other keys are.
    fn check_key(&self, source: &KeySource) -> Result<()> {
        let KeySource { account_sid, key, setting, file } = source;
        let name = match (setting.starts_with("TWILIO_"), key.strip_prefix("token ")) {
            (true, _) => setting.clone(),
            (false, Some(name)) => format!("accounts.{account_sid}.{setting}.{name}"),
            (false, None) => format!("accounts.{account_sid}.{setting}"),
        };
        let secret = match file {
            Some(file) => credential::read_file(&name, file)?,
            None => self.key_in_setting(account_sid, setting).context("it is set")?,
        };
        match key.starts_with("shared key ") {
            true => credential::secret(&name, secret).map(drop),
            false => credential::auth_token(&name, secret).map(drop),
        }
    }

    fn key_in_setting(&self, account_sid: &str, setting: &str) -> Option<SecretString> {
        let entry = self.file.accounts.get(account_sid);
        match setting {
            "auth_token" => entry?.auth_token.clone(),
            "auth_token_secondary" => entry?.auth_token_secondary.clone(),
            variable => self.environment.get(variable).cloned().map(SecretString::from),
        }
    }
}
