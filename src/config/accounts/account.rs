//! Twilio accounts and their keys, from the environment and the file.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};

use crate::config::file::AccountEntry;
use crate::config::{Settings, credential};
use crate::subaccounts::Subaccount;
use crate::twilio::accounts::{AccountKeys, Accounts, PRIMARY, SECONDARY, SharedKey, Token};

/// How long a key's name may be. It stands in every event that the key verified.
const KEY_NAME_BYTES_MAX: usize = 64;

impl Settings {
    /// The tokens in the environment, for checks that need no account.
    pub fn environment_keys(&self) -> Result<AccountKeys> {
        let primary = self.auth_token("TWILIO_AUTH_TOKEN")?;
        let primary = primary.context("set TWILIO_AUTH_TOKEN (or TWILIO_AUTH_TOKEN_FILE)")?;
        let secondary = self.auth_token("TWILIO_AUTH_TOKEN_SECONDARY")?;
        Ok(keys(&primary, secondary.as_ref()))
    }

    /// The account in the environment.
    pub fn environment_account(&self) -> Result<String> {
        let sid = self.environment.get("TWILIO_ACCOUNT_SID").cloned();
        let sid =
            sid.context("set TWILIO_ACCOUNT_SID to the account that callbacks are to be sent for")?;
        credential::account_sid("TWILIO_ACCOUNT_SID", &sid)?;
        Ok(sid)
    }

    /// An auth token from the environment, or from the file that `…_FILE` names.
    fn auth_token(&self, variable: &str) -> Result<Option<SecretString>> {
        let file_variable = format!("{variable}_FILE");
        let is_here = self.environment.contains_key(variable);
        let setting = if is_here { variable } else { &file_variable };
        self.secret(variable)?.map(|token| credential::auth_token(setting, token)).transpose()
    }

    /// Every configured account, at least one, and the subaccounts that are known.
    pub fn accounts(&self) -> Result<Accounts> {
        let each = self.each_account()?.into_iter();
        let each = each.map(|(sid, keys)| keys.map(|keys| (sid, keys)));
        let configured = Accounts::new(each.collect::<Result<Vec<_>>>()?);
        let configured = configured.with_parents(self.account_parents()?);
        let subaccounts = self.readable_subaccounts();
        Ok(configured.with_subaccounts(
            subaccounts
                .iter()
                .map(|subaccount| (subaccount.sid.clone(), subaccount_keys(subaccount))),
        ))
    }

    pub(in crate::config) fn account_in_environment(
        &self,
    ) -> Result<Option<(String, SecretString, Option<SecretString>)>> {
        let sid = self.environment.get("TWILIO_ACCOUNT_SID").cloned();
        if let Some(sid) = &sid {
            credential::account_sid("TWILIO_ACCOUNT_SID", sid)?;
        }
        let primary = self.auth_token("TWILIO_AUTH_TOKEN")?;
        let secondary = self.auth_token("TWILIO_AUTH_TOKEN_SECONDARY")?;
        match (sid, primary) {
            (Some(sid), Some(primary)) => Ok(Some((sid, primary, secondary))),
            (Some(sid), None)
                if self.file.accounts.get(&sid).is_some_and(AccountEntry::has_keys) =>
            {
                Ok(None)
            }
            (Some(sid), None) => bail!(
                "TWILIO_ACCOUNT_SID is {sid}, but its token is missing: set TWILIO_AUTH_TOKEN or \
                 TWILIO_AUTH_TOKEN_FILE"
            ),
            (None, Some(_)) => bail!(
                "TWILIO_AUTH_TOKEN is set, but not whose it is: set TWILIO_ACCOUNT_SID to the AC… SID"
            ),
            (None, None) => Ok(None),
        }
    }

    /// True if the file has no keys of the environment's account, only what else belongs to it.
    pub(in crate::config) fn is_only_named(&self, sid: &str, entry: &AccountEntry) -> bool {
        let own = self.environment.get("TWILIO_ACCOUNT_SID");
        own.is_some_and(|own| own == sid)
            && (entry.name.is_some() || entry.subaccounts.is_some() || entry.parent.is_some())
            && !entry.has_keys()
    }

    pub(in crate::config) fn account_in_file(
        &self,
        sid: &str,
        entry: &AccountEntry,
    ) -> Result<AccountKeys> {
        let name = |key: &str| format!("accounts.{sid}.{key}");
        let primary =
            self.file.auth_token(&name("auth_token"), &entry.auth_token, &entry.auth_token_file)?;
        let primary = primary.with_context(|| {
            format!("accounts.{sid} has no auth_token_file; it names a file with the token")
        })?;
        let secondary = self.file.auth_token(
            &name("auth_token_secondary"),
            &entry.auth_token_secondary,
            &entry.auth_token_secondary_file,
        )?;
        let mut further = BTreeMap::new();
        for (token_name, path) in &entry.auth_tokens {
            let setting = name(&format!("auth_tokens.{token_name}"));
            if entry.shared_keys.contains_key(token_name) {
                bail!(
                    "{setting}: a shared key has this name too; events say by it what verified them"
                );
            }
            key_name(&setting, token_name)?;
            let secret = self.file.read_secret(&setting, path)?;
            let secret = credential::auth_token(&setting, secret)?;
            further.insert(token_name.clone(), Token::new(secret.expose_secret()));
        }
        let mut shared = BTreeMap::new();
        for (shared_name, path) in &entry.shared_keys {
            key_name(&name(&format!("shared_keys.{shared_name}")), shared_name)?;
            let secret = self.file.read_secret(&name("shared_keys"), path)?;
            let secret = credential::secret(&name("shared_keys"), secret)?;
            shared.insert(shared_name.clone(), SharedKey::new(secret.expose_secret()));
        }
        Ok(AccountKeys { further, shared, ..keys(&primary, secondary.as_ref()) })
    }
}

/// The keys of a fetched subaccount.
pub fn subaccount_keys(subaccount: &Subaccount) -> AccountKeys {
    keys(&subaccount.auth_token, None)
}

/// An account with these tokens and no others.
pub(in crate::config) fn keys(
    primary: &SecretString,
    secondary: Option<&SecretString>,
) -> AccountKeys {
    AccountKeys {
        primary: Token::new(primary.expose_secret()),
        secondary: secondary.map(|token| Token::new(token.expose_secret())),
        further: BTreeMap::new(),
        shared: BTreeMap::new(),
    }
}

/// Events say by its name which key verified them.
fn key_name(setting: &str, name: &str) -> Result<()> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match name {
        PRIMARY | SECONDARY => bail!(
            "{setting}: events call the account's own tokens {name}; give \
                                      it another name"
        ),
        "" => bail!("{setting}: a key has a name, such as ie1"),
        _ if name.len() > KEY_NAME_BYTES_MAX => {
            bail!("{setting}: the name is longer than {KEY_NAME_BYTES_MAX} characters")
        }
        _ if !name.bytes().all(letter) => {
            bail!("{setting}: a name has only letters, digits, dashes, dots and underscores")
        }
        _ => Ok(()),
    }
}
