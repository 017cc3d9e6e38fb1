//! The names of accounts.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::config::{Settings, UsageError, credential};
use crate::domain::AccountSid;
use crate::domain::account_names::AccountNames;
use crate::subaccounts::Subaccount;

/// The maximum length of a name, in characters: it is part of lines of output.
const NAME_CHARACTERS_MAX: usize = 64;

impl Settings {
    /// The names of the accounts that have one: a configured one, or that of a subaccount at Twilio. No
    /// keys are needed for an account's name.
    pub fn account_names(&self) -> Result<AccountNames> {
        let mut owners = BTreeMap::new();
        for (sid, entry) in &self.file.accounts {
            let Some(name) = &entry.name else { continue };
            let setting = format!("accounts.{sid}.name");
            check(&setting, name)?;
            if let Some(other) = owners.insert(name.clone(), sid.clone()) {
                bail!("{setting}: `{name}` is the name of {other} too; names must differ");
            }
        }
        let subaccounts = self.readable_subaccounts();
        let named =
            usable_names(&subaccounts).into_iter().filter_map(|(name, sid)| Some((name, sid?)));
        for (name, sid) in named {
            owners.entry(name.to_owned()).or_insert_with(|| sid.to_owned());
        }
        Ok(AccountNames::new(owners.into_iter().map(|(name, sid)| (sid, name))))
    }

    /// The account with this SID or name, for the flag `--account-sid`.
    pub fn account(&self, written: &str) -> Result<AccountSid> {
        let account = self.account_names()?.resolve(written);
        Ok(account.map_err(|unknown| {
            UsageError(format!("--account-sid: `{}` is not {unknown}", written.escape_debug()))
        })?)
    }
}

/// The subaccounts' names at Twilio, as far as they are valid; `None` for one that several have.
fn usable_names(subaccounts: &[Subaccount]) -> BTreeMap<&str, Option<&str>> {
    let mut owners = BTreeMap::new();
    for Subaccount { sid, name, .. } in subaccounts {
        let name = name.as_deref().filter(|name| check("", name).is_ok());
        let Some(name) = name.filter(|name| !credential::is_token(name)) else { continue };
        let owner = |owner: &mut Option<&str>| *owner = None;
        owners.entry(name).and_modify(owner).or_insert(Some(sid.as_str()));
    }
    owners
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
