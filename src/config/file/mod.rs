//! The configuration file, `delivery-ledger.toml`. Unknown keys are errors.

mod forward_entry;
mod lines;
pub mod template;
mod valid_part;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub use self::forward_entry::ForwardEntry;
use self::lines::{key_on_line, lines_of_keys};
use super::credential;
use super::seal::WitnessEntry;
use super::setting::Form;
use super::setting::declarations::SETTINGS;

/// The whole file.
#[derive(Debug, Clone, Default)]
pub struct ConfigFile {
    /// The values of the settings that are in the file, by key.
    pub values: BTreeMap<&'static str, Vec<String>>,
    pub api_token: Option<SecretString>,
    pub api_token_file: Option<PathBuf>,
    pub api_tokens: BTreeMap<String, ApiTokenEntry>,
    pub accounts: BTreeMap<String, AccountEntry>,
    pub forward: BTreeMap<String, ForwardEntry>,
    pub witnesses: Vec<WitnessEntry>,
    /// The folder of the file: relative paths in it start there.
    folder: PathBuf,
    /// The path of the file; `None` if none was read.
    pub read_from: Option<PathBuf>,
    /// The line of each key, with its section, such as `reconcile.every`.
    lines: BTreeMap<String, usize>,
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
    /// The name that people use for the account.
    pub name: Option<String>,
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
    /// Whether its subaccounts are fetched from Twilio.
    pub subaccounts: Option<bool>,
    /// The account whose Event Streams may report on this one.
    pub parent: Option<String>,
}

impl AccountEntry {
    /// True if its subaccounts are fetched from Twilio.
    pub fn wants_subaccounts(&self) -> bool {
        self.subaccounts == Some(true)
    }

    /// True if it has any key.
    pub fn has_keys(&self) -> bool {
        let tokens = self.auth_token.is_some() || self.auth_token_file.is_some();
        let secondary =
            self.auth_token_secondary.is_some() || self.auth_token_secondary_file.is_some();
        tokens || secondary || !self.auth_tokens.is_empty() || !self.shared_keys.is_empty()
    }
}

/// A string, or a list of strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Reads the top level (an empty prefix) or a section such as `reconcile.` into the file.
struct Section<'a> {
    prefix: &'static str,
    file: &'a mut ConfigFile,
}

impl<'de> DeserializeSeed<'de> for Section<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Section<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a table of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { prefix, file } = self;
        while let Some(key) = map.next_key_seed(Key { prefix })? {
            match key {
                "api_token" => file.api_token = Some(map.next_value()?),
                "api_token_file" => file.api_token_file = Some(map.next_value()?),
                "api_tokens" => file.api_tokens = map.next_value()?,
                "accounts" => file.accounts = map.next_value()?,
                "forward" => file.forward = map.next_value()?,
                "reconcile" => map.next_value_seed(Section { prefix: "reconcile.", file })?,
                "seal" => map.next_value_seed(Section { prefix: "seal.", file })?,
                "seal.witnesses" => file.witnesses = map.next_value()?,
                "retention" => map.next_value_seed(Section { prefix: "retention.", file })?,
                "tags" => map.next_value_seed(Section { prefix: "tags.", file })?,
                key => {
                    let setting = SETTINGS.iter().find(|setting| setting.key == key);
                    let values = match setting.map_or(Form::Text, |setting| setting.form) {
                        Form::List => match map.next_value()? {
                            OneOrMany::One(text) => vec![text],
                            OneOrMany::Many(texts) => texts,
                        },
                        Form::Number => vec![map.next_value::<u64>()?.to_string()],
                        Form::Bool => vec![map.next_value::<bool>()?.to_string()],
                        Form::Text | Form::Special | Form::EnvironmentOnly => {
                            vec![map.next_value()?]
                        }
                    };
                    file.values.insert(key, values);
                }
            }
        }
        Ok(())
    }
}

/// A key that may be in this section of the file, with its prefix.
struct Key {
    prefix: &'static str,
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        let found = String::deserialize(deserializer)?;
        let in_section = |key: &&'static str| {
            key.strip_prefix(self.prefix).is_some_and(|name| !name.contains('.'))
        };
        let keys = SETTINGS
            .iter()
            .filter(|setting| setting.form != Form::EnvironmentOnly)
            .map(|setting| setting.key);
        let known: Vec<_> = keys
            .chain(["reconcile", "seal", "retention", "tags", "accounts"])
            .filter(in_section)
            .collect();
        let key = known.iter().find(|key| key.strip_prefix(self.prefix) == Some(&found));
        key.copied().ok_or_else(|| {
            let names = known.iter().map(|key| format!("`{}`", &key[self.prefix.len()..]));
            let names = names.collect::<Vec<_>>().join(", ");
            D::Error::custom(format!("unknown field `{found}`, expected one of {names}"))
        })
    }
}

impl<'de> Deserialize<'de> for ConfigFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut file = Self::default();
        Section { prefix: "", file: &mut file }.deserialize(deserializer)?;
        Ok(file)
    }
}

impl ConfigFile {
    /// Whether the file has this setting.
    pub fn has(&self, key: &str) -> bool {
        match key {
            "api_token" => self.api_token.is_some(),
            "api_token_file" => self.api_token_file.is_some(),
            "api_tokens" => !self.api_tokens.is_empty(),
            "forward" => !self.forward.is_empty(),
            "seal.witnesses" => !self.witnesses.is_empty(),
            key => self.values.contains_key(key),
        }
    }

    /// The line of the first of these keys that the file has; a section counts as its own key.
    pub fn line(&self, keys: &[&str]) -> Option<usize> {
        let of_section = |key: &str| {
            let prefix = format!("{key}.");
            let below = self.lines.range(prefix.clone()..);
            let below = below.take_while(|(name, _)| name.starts_with(&prefix));
            below.map(|(_, line)| *line).min()
        };
        keys.iter().find_map(|key| self.lines.get(*key).copied().or_else(|| of_section(key)))
    }

    /// Reads the file at this path.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
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
            let message = message(&text, line, error.message());
            anyhow::anyhow!("{}: line {line}: {message}", path.display())
        })?;
        Ok(file.at(path, &text))
    }

    /// The same as read from this path, where the file has this text.
    fn at(self, path: &Path, text: &str) -> Self {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self { folder, read_from: Some(path.to_owned()), lines: lines_of_keys(text), ..self }
    }

    /// A secret that the file holds or names a file for; not both.
    pub fn secret(
        &self,
        setting: &str,
        value: &Option<SecretString>,
        file: &Option<PathBuf>,
    ) -> anyhow::Result<Option<SecretString>> {
        match (value, file) {
            (Some(_), Some(_)) => bail!("{setting} and {setting}_file are both set; keep one"),
            // Anyone can sign with an empty key.
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
    ) -> anyhow::Result<Option<SecretString>> {
        let suffix = if file.is_some() { "_file" } else { "" };
        let secret = self.secret(setting, value, file)?;
        secret.map(|token| credential::auth_token(&format!("{setting}{suffix}"), token)).transpose()
    }

    /// A path that may be relative to this file.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// A secret in a file, by a path that may be relative to this one.
    pub fn read_secret(&self, setting: &str, path: &Path) -> anyhow::Result<SecretString> {
        credential::read_file(setting, &self.folder.join(path))
    }
}

/// The parser's message about a line without the value at fault. One about a target of forwarding names its key:
/// its section has the keys of every other target.
fn message(text: &str, line: usize, message: &str) -> String {
    let of_target = key_on_line(text, line).filter(|key| key.starts_with("forward"));
    let message = without_value(message);
    match of_target {
        Some(key) if message == "duplicate key" && key.matches('.').count() == 1 => {
            format!("{key}: another target has this name; give each a name of its own")
        }
        Some(key) if message == "duplicate key" => format!("{key}: this is set twice; keep one"),
        Some(key) => format!("{key}: {message}"),
        None => message,
    }
}

/// The parser's message without the value at fault: a token written without quotes is a number.
fn without_value(message: &str) -> String {
    match (message.strip_prefix("invalid type: "), message.split_once(", expected ")) {
        (Some(_), Some((_, expected)))
            if expected == "a map" || expected.starts_with("struct ") =>
        {
            "this is not a section".to_owned()
        }
        (Some(_), Some((_, expected))) => format!("this is not {expected}"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigFile, lines_of_keys};

    #[test]
    fn keys_are_found_with_their_line_and_section() {
        let text = "rule = \"failure-terminal\"\n\n# public_url = \"no\"\npublic_url = [\n  \"https://a.example\",\n]\n\n\
                    [reconcile]\nevery = \"6h\"\n[api_tokens.support]\ntoken_file = \"t\"\n";
        let file = ConfigFile { lines: lines_of_keys(text), ..ConfigFile::default() };
        assert_eq!(file.line(&["rule"]), Some(1));
        assert_eq!(file.line(&["public_url"]), Some(4));
        assert_eq!(file.line(&["reconcile.every"]), Some(9));
        assert_eq!(file.line(&["api_token", "api_tokens"]), Some(11));
        assert_eq!(file.line(&["time_zone"]), None);
    }
}
