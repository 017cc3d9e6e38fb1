//! `delivery-ledger.toml` as it is written; unknown keys are errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{credential, secret};

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    pub database: Option<String>,
    pub listen: Option<String>,
    pub admin_listen: Option<String>,
    pub admin_hosts: Option<OneOrMany>,
    pub callback_path: Option<OneOrMany>,
    pub public_url: Option<OneOrMany>,
    pub api_token: Option<SecretString>,
    pub api_token_file: Option<PathBuf>,
    pub rule: Option<String>,
    pub wal_checkpoints: Option<String>,
    pub verify_every: Option<String>,
    pub error_codes: Option<PathBuf>,
    pub quarantine: Option<String>,
    pub quarantine_requests: Option<u64>,
    pub quarantine_mib: Option<u64>,
    pub twilio_api_base_url: Option<String>,
    pub twilio_api_timeout: Option<String>,
    pub callback_overrides: Option<String>,
    #[serde(default)]
    pub reconcile: ReconcileEntry,
    #[serde(default)]
    pub api_tokens: BTreeMap<String, ApiTokenEntry>,
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountEntry>,
    /// Where the file lies: relative paths in it start there.
    #[serde(skip)]
    folder: PathBuf,
    /// Where it was read; nothing where there is no file.
    #[serde(skip)]
    pub read_from: Option<PathBuf>,
}

/// `[reconcile]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileEntry {
    pub every: Option<String>,
    pub older_than: Option<String>,
    pub give_up_after: Option<String>,
    pub max_requests: Option<u64>,
    pub keep_content: Option<bool>,
}

/// One `[api_tokens.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiTokenEntry {
    pub token_file: PathBuf,
    pub scope: String,
}

/// One `[accounts.AC…]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountEntry {
    pub auth_token: Option<SecretString>,
    pub auth_token_file: Option<PathBuf>,
    pub auth_token_secondary: Option<SecretString>,
    pub auth_token_secondary_file: Option<PathBuf>,
    /// Name to file: further tokens, as other regions have them.
    #[serde(default)]
    pub auth_tokens: BTreeMap<String, PathBuf>,
    /// Name to file.
    #[serde(default)]
    pub shared_keys: BTreeMap<String, PathBuf>,
}

/// A text, or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// As a list.
    pub fn to_vec(&self) -> Vec<String> {
        match self {
            OneOrMany::One(text) => vec![text.clone()],
            OneOrMany::Many(texts) => texts.clone(),
        }
    }
}

impl ConfigFile {
    /// Reads the file at this path.
    pub fn read(path: &Path) -> Result<Self> {
        if path.is_dir() {
            let name = path.join("delivery-ledger.toml");
            bail!(
                "{} is a folder; name a configuration file, such as {}",
                path.display(),
                name.display()
            );
        }
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
        // The parser's own report quotes the line at fault, which may hold a secret.
        let file: Self = toml::from_str(&text).map_err(|error| {
            let before = error.span().map_or("", |span| &text[..span.start]);
            let line = 1 + before.matches('\n').count();
            anyhow::anyhow!("{}: line {line}: {}", path.display(), without_value(error.message()))
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { folder, read_from: Some(path.to_owned()), ..file })
    }

    /// A secret that the file holds or names a file for; not both.
    pub fn secret(
        &self,
        setting: &str,
        value: &Option<SecretString>,
        file: &Option<PathBuf>,
    ) -> Result<Option<SecretString>> {
        match (value, file) {
            (Some(_), Some(_)) => bail!("{setting} and {setting}_file are both set; keep one"),
            // Whoever knows that a key is empty can sign with it.
            (Some(value), None) if value.expose_secret().is_empty() => {
                bail!("{setting} is empty; it should hold the secret, or be left out")
            }
            (Some(value), None) => Ok(Some(value.clone())),
            (None, Some(path)) => self.read_secret(&format!("{setting}_file"), path).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The same for an auth token.
    pub fn auth_token(
        &self,
        setting: &str,
        value: &Option<SecretString>,
        file: &Option<PathBuf>,
    ) -> Result<Option<SecretString>> {
        let suffix = if file.is_some() { "_file" } else { "" };
        let secret = self.secret(setting, value, file)?;
        secret.map(|token| credential::auth_token(&format!("{setting}{suffix}"), token)).transpose()
    }

    /// A path that may be relative to this file.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// A secret in a file, by a path that may be relative to this one.
    pub fn read_secret(&self, setting: &str, path: &Path) -> Result<SecretString> {
        secret::read(setting, &self.folder.join(path))
    }
}

/// The parser's message without the value at fault: a token written without quotes is a number.
fn without_value(message: &str) -> String {
    match (message.strip_prefix("invalid type: "), message.split_once(", expected ")) {
        (Some(_), Some((_, expected))) => format!("this is not {expected}"),
        _ => message.to_owned(),
    }
}
