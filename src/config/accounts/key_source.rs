//! The origin of each key, without the key itself.

use std::fmt;
use std::path::PathBuf;

use crate::config::Settings;

/// One key of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySource {
    /// The account.
    pub account_sid: String,
    /// What it is called: `primary token`, `secondary token`, `token NAME`, `shared key NAME`.
    pub key: String,
    /// The variable, or the account's key in the configuration file, that has it or names its file.
    pub setting: String,
    /// The file; `None` if the setting itself contains the key.
    pub file: Option<PathBuf>,
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} set, from {}", self.key, self.setting)?;
        match &self.file {
            Some(file) => write!(f, " ({})", file.display()),
            None => Ok(()),
        }
    }
}

impl Settings {
    /// Every key that is configured and in use: the environment's go before the file's.
    pub fn key_sources(&self) -> Vec<KeySource> {
        let own = self.environment.get("TWILIO_ACCOUNT_SID");
        let in_environment: Vec<_> =
            own.into_iter().flat_map(|sid| self.in_environment(sid)).collect();
        let hidden = |sid: &str, key: &str| {
            !in_environment.is_empty()
                && own.is_some_and(|own| own == sid)
                && matches!(key, "primary token" | "secondary token")
        };
        let in_file = self.file.accounts.keys().flat_map(|sid| self.in_file(sid));
        let in_file = in_file.filter(|source| !hidden(&source.account_sid, &source.key));
        let mut sources: Vec<_> = in_environment.iter().cloned().chain(in_file).collect();
        sources.sort_by(|one, other| one.account_sid.cmp(&other.account_sid));
        sources
    }

    fn in_environment(&self, sid: &str) -> Vec<KeySource> {
        let variables = [
            ("primary token", "TWILIO_AUTH_TOKEN"),
            ("secondary token", "TWILIO_AUTH_TOKEN_SECONDARY"),
        ];
        let source = |(key, variable): (&str, &str)| {
            let file_variable = format!("{variable}_FILE");
            let (setting, file) = match self.environment.get(variable) {
                Some(_) => (variable.to_owned(), None),
                None => {
                    let file = self.environment.get(&file_variable)?.into();
                    (file_variable, Some(file))
                }
            };
            Some(KeySource { account_sid: sid.to_owned(), key: key.to_owned(), setting, file })
        };
        // A secondary token alone is no account.
        let sources: Vec<_> = variables.into_iter().filter_map(source).collect();
        if sources.iter().any(|source| source.key == "primary token") {
            sources
        } else {
            Vec::new()
        }
    }

    fn in_file(&self, sid: &str) -> Vec<KeySource> {
        let entry = &self.file.accounts[sid];
        let tokens = [
            ("primary token", "auth_token", entry.auth_token.is_some(), &entry.auth_token_file),
            (
                "secondary token",
                "auth_token_secondary",
                entry.auth_token_secondary.is_some(),
                &entry.auth_token_secondary_file,
            ),
        ];
        let token = |(key, setting, is_here, file): (&str, &str, bool, &Option<PathBuf>)| {
            let file = file.as_ref().map(|file| self.file.path(file));
            let suffix = if file.is_some() { "_file" } else { "" };
            (is_here || file.is_some()).then(|| KeySource {
                account_sid: sid.to_owned(),
                key: key.to_owned(),
                setting: format!("{setting}{suffix}"),
                file,
            })
        };
        let further = entry.auth_tokens.iter().map(|(name, file)| KeySource {
            account_sid: sid.to_owned(),
            key: format!("token {name}"),
            setting: "auth_tokens".to_owned(),
            file: Some(self.file.path(file)),
        });
        let shared = entry.shared_keys.iter().map(|(name, file)| KeySource {
            account_sid: sid.to_owned(),
            key: format!("shared key {name}"),
            setting: "shared_keys".to_owned(),
            file: Some(self.file.path(file)),
        });
        tokens.into_iter().filter_map(token).chain(further).chain(shared).collect()
    }
}
