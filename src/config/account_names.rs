//! The names of accounts.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::{Settings, UsageError, credential};
use crate::domain::AccountSid;
use crate::domain::account_names::AccountNames;

/// The maximum length of a name, in characters: it is part of lines of output.
const NAME_CHARACTERS_MAX: usize = 64;

impl Settings {
    /// The names of the accounts that have one. No keys are needed for an account's name.
    pub fn account_names(&self) -> Result<AccountNames> {
        let mut owners = BTreeMap::new();
        for (sid, entry) in &self.file.accounts {
            let Some(name) = &entry.name else { continue };
            let setting = format!("accounts.{sid}.name");
            check(&setting, name)?;
            if let Some(other) = owners.insert(name, sid) {
                bail!("{setting}: `{name}` is the name of {other} too; names must differ");
            }
        }
        Ok(AccountNames::new(owners.into_iter().map(|(name, sid)| (sid.clone(), name.clone()))))
    }

    /// The account with this SID or name, for the flag `--account-sid`.
    pub fn account(&self, written: &str) -> Result<AccountSid> {
        let account = self.account_names()?.resolve(written);
        Ok(account.map_err(|unknown| {
            UsageError(format!("--account-sid: `{}` is not {unknown}", written.escape_debug()))
        })?)
    }
}

fn check(setting: &str, name: &str) -> Result<()> {
    let shown = name.escape_debug();
    match name.chars().count() {
        1..=NAME_CHARACTERS_MAX => {}
        0 => bail!("{setting}: the name is empty"),
        length => {
            bail!(
                "{setting}: the name has {length} characters; {NAME_CHARACTERS_MAX} are the maximum"
            )
        }
    }
    if credential::has_form_of_sid(name) {
        bail!("{setting}: `{shown}` is a SID; a name must not have the form of one");
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        bail!("{setting}: `{shown}` has blanks around it, or control characters in it");
    }
    Ok(())
}
