//! Reloading of keys and tokens in a running server; all other settings stay as they were at the start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::accounts::account::keys;
use super::file::ConfigFile;
use super::{DEFAULT_FILE, Settings, credential};
use crate::domain::AccountSid;
use crate::twilio::accounts::AccountKeys;

impl Settings {
    /// The same with the configuration file as it is now. Flags and environment of a process stay what
    /// they are; a file that was there has to be there still.
    pub fn reread(&self) -> Result<Self> {
        let file = match &self.file.read_from {
            // A program that writes the file in place leaves it empty for a moment.
            Some(path) if path.metadata().is_ok_and(|file| file.is_file() && file.len() == 0) => {
                bail!("{} is empty", path.display())
            }
            Some(path) => ConfigFile::read(path)?,
            None if self.reads_file && Path::new(DEFAULT_FILE).exists() => {
                ConfigFile::read(Path::new(DEFAULT_FILE))?
            }
            None => ConfigFile::default(),
        };
        Ok(Self { file, ..self.clone() })
    }

    /// Every file that holds a key or a token, or says which do.
    pub fn key_files(&self) -> Vec<PathBuf> {
        let configuration = self.file.read_from.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        [configuration].into_iter().chain(self.files_of_secrets()).collect()
    }

    /// Every file that holds a secret, the configuration file only where it does.
    pub fn secret_files(&self) -> Vec<PathBuf> {
        let accounts = self.file.accounts.values();
        let holds = self.file.api_token.is_some()
            || accounts.into_iter().any(|account| {
                account.auth_token.is_some() || account.auth_token_secondary.is_some()
            })
            || self.file.forward.values().any(|target| target.secret.is_some());
        let configuration = self.file.read_from.clone().filter(|_| holds);
        let subaccounts = self.subaccounts_file().ok().filter(|file| file.exists());
        let of_targets = self.target_secret_files();
        let files = configuration.into_iter().chain(self.files_of_secrets());
        files.chain(subaccounts).chain(of_targets).collect()
    }

    fn files_of_secrets(&self) -> Vec<PathBuf> {
        let keys = self.key_sources().into_iter().filter_map(|source| source.file);
        keys.chain(self.api_token_files()).chain(self.seal_key_file()).collect()
    }

    fn api_token_files(&self) -> Vec<PathBuf> {
        let single = self.environment.get("DELIVERY_LEDGER_API_TOKEN_FILE").map(PathBuf::from);
        let in_file = self.file.api_token_file.iter();
        let in_file = in_file.chain(self.file.api_tokens.values().map(|entry| &entry.token_file));
        single.into_iter().chain(in_file.map(|path| self.file.path(path))).collect()
    }

    /// Every configured account and its keys, or what is wrong with them. One account's broken file is no reason
    /// to go on with another's old keys.
    pub fn each_account(&self) -> Result<BTreeMap<AccountSid, Result<AccountKeys>>> {
        let mut accounts = BTreeMap::new();
        for (sid, entry) in &self.file.accounts {
            if credential::is_token(sid) {
                credential::account_sid("[accounts.…]", sid)?;
            }
            if self.is_only_named(sid, entry) {
                continue;
            }
            let keys = self.account_in_file(sid, entry).and_then(|keys| {
                credential::account_sid("[accounts.AC…]", sid)?;
                Ok(keys)
            });
            accounts.insert(account_sid(sid)?, keys);
        }
        if let Some(sid) = self.environment.get("TWILIO_ACCOUNT_SID") {
            credential::account_sid("TWILIO_ACCOUNT_SID", sid)?;
            let sid = account_sid(sid)?;
            let in_file = accounts.remove(&sid);
            accounts.insert(sid, self.with_environment(in_file));
        } else {
            // A token without its account is a mistake to report.
            self.account_in_environment()?;
        }
        if accounts.is_empty() {
            bail!(
                "no Twilio account is configured: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN \
                 (or TWILIO_AUTH_TOKEN_FILE), or add [accounts.AC…] with auth_token_file to {DEFAULT_FILE}"
            );
        }
        Ok(accounts)
    }

    /// The keys of the environment's account, of which the file may have some too.
    fn with_environment(&self, in_file: Option<Result<AccountKeys>>) -> Result<AccountKeys> {
        let in_file = in_file.transpose()?;
        match self.account_in_environment()? {
            None => in_file.context("it is in the file"),
            Some((_, primary, secondary)) => {
                let own = keys(&primary, secondary.as_ref());
                Ok(match in_file {
                    Some(AccountKeys { further, shared, .. }) => {
                        AccountKeys { further, shared, ..own }
                    }
                    None => own,
                })
            }
        }
    }
}

fn account_sid(sid: &str) -> Result<AccountSid> {
    AccountSid::parse(sid).context("an account in the configuration file has an empty name")
}
