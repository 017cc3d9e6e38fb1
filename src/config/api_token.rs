//! API tokens for the admin listener: a single one, and several with names and scopes.

use std::fmt;

use anyhow::{Result, anyhow, bail};
use secrecy::{ExposeSecret, SecretString};

use super::file::ApiTokenEntry;
use super::{API_TOKENS, Origin, Settings, credential};
use crate::domain::similar::suggestion;

/// The minimum length of a token: 16 random hex digits cannot be guessed.
const TOKEN_LENGTH_MIN: usize = 16;

/// One token.
#[derive(Debug)]
pub struct ApiToken {
    /// Its name in messages; for the single token, the name of the setting.
    pub name: String,
    /// The token itself.
    pub secret: SecretString,
    /// What its holder may do.
    pub scope: ApiScope,
}

/// A token that is configured, or what is wrong with it.
#[derive(Debug)]
pub struct ConfiguredToken {
    /// Its name in messages; for the single token, the name of the setting.
    pub name: String,
    /// Where it is configured.
    pub origin: Origin,
    /// The token, or the reason it is invalid.
    pub token: Result<ApiToken>,
}

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ApiScope {
    /// `None` if the holder may see nothing.
    pub read: Option<Read>,
    /// Find the messages of a whole number, which `read` includes.
    pub find: bool,
    /// Send messages.
    pub send: bool,
    /// Append or change something, other than by sending messages.
    pub operate: bool,
}

/// What may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Messages and events with their addresses.
    Everything,
    /// Everything, but only the last four digits of addresses.
    Masked,
}

/// The words of a scope.
const WORDS: [&str; 5] = ["read", "read:masked", "find", "send", "operate"];

impl ApiScope {
    /// Reads words separated by spaces; the error says what is wrong with them.
    fn parse(text: &str) -> Result<Self, String> {
        let mut scope = ApiScope::default();
        for word in text.split_whitespace() {
            let repeated = match word {
                "read" | "read:masked" if scope.read.is_some() => true,
                "read" => scope.read.replace(Read::Everything).is_some(),
                "read:masked" => scope.read.replace(Read::Masked).is_some(),
                "find" => std::mem::replace(&mut scope.find, true),
                "send" => std::mem::replace(&mut scope.send, true),
                "operate" => std::mem::replace(&mut scope.operate, true),
                _ => {
                    let known = WORDS.join(", ");
                    let similar = suggestion(word, WORDS);
                    return Err(format!("`{word}` is none of {known}{similar}"));
                }
            };
            if repeated {
                return Err(format!("`{text}` has a word twice, or both read and read:masked"));
            }
        }
        match scope {
            ApiScope { read: None, find: true, .. } => {
                Err(format!("`{text}`: find needs read:masked too, as in `read:masked find`"))
            }
            ApiScope { read: None, send: false, operate: false, .. } => {
                Err(format!("it is empty; use one or more of {}", WORDS.join(", ")))
            }
            scope => Ok(scope),
        }
    }
}

impl fmt::Display for ApiScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = self.read.map(|read| match read {
            Read::Everything => "read",
            Read::Masked => "read:masked",
        });
        let find = self.find.then_some("find");
        let send = self.send.then_some("send");
        let operate = self.operate.then_some("operate");
        let words: Vec<_> = [read, find, send, operate].into_iter().flatten().collect();
        f.write_str(&words.join(" "))
    }
}

impl ApiToken {
    /// Why the token could be guessed, if it is short. Only the single token may be short, for
    /// compatibility.
    pub fn shortness(&self) -> Option<String> {
        refuse_short(&self.name, &self.secret).err().map(|short| short.to_string())
    }
}

impl Settings {
    /// Every token, none of them short and no two alike.
    pub fn api_tokens(&self) -> Result<Vec<ApiToken>> {
        let each = self.each_api_token().into_iter().map(|each| each.token);
        let tokens = each.collect::<Result<Vec<_>>>()?;
        refuse_alike(&tokens)?;
        Ok(tokens)
    }

    /// Every token, each with what is wrong with it alone.
    pub fn each_api_token(&self) -> Vec<ConfiguredToken> {
        let single = self.single_api_token().transpose().map(|token| {
            let origin = self.origin(&API_TOKENS);
            let variable = API_TOKENS.variable.filter(|_| matches!(origin, Origin::Variable(_)));
            ConfiguredToken { name: variable.unwrap_or("api_token").to_owned(), origin, token }
        });
        let named = self.file.api_tokens.iter().map(|(name, entry)| ConfiguredToken {
            name: name.clone(),
            origin: self.origin_in_file(&[&format!("api_tokens.{name}")]),
            token: self.named_api_token(name, entry),
        });
        single.into_iter().chain(named).collect()
    }

    fn named_api_token(&self, name: &str, entry: &ApiTokenEntry) -> Result<ApiToken> {
        let setting = format!("api_tokens.{name}");
        let scope =
            ApiScope::parse(&entry.scope).map_err(|reason| anyhow!("{setting}.scope: {reason}"))?;
        let file_setting = format!("{setting}.token_file");
        let secret = self.file.read_secret(&file_setting, &entry.token_file)?;
        refuse_short(&file_setting, &secret)?;
        let secret = credential::secret(&file_setting, secret)?;
        Ok(ApiToken { name: name.to_owned(), secret, scope })
    }

    /// The token without a name.
    fn single_api_token(&self) -> Result<Option<ApiToken>> {
        let (name, secret) = match self.secret("DELIVERY_LEDGER_API_TOKEN")? {
            Some(secret) => ("DELIVERY_LEDGER_API_TOKEN", Some(secret)),
            None => {
                let in_file = (&self.file.api_token, &self.file.api_token_file);
                ("api_token", self.file.secret("api_token", in_file.0, in_file.1)?)
            }
        };
        let Some(secret) = secret else { return Ok(None) };
        let secret = credential::secret(name, secret)?;
        let scope = ApiScope { read: Some(Read::Everything), ..ApiScope::default() };
        Ok(Some(ApiToken { name: name.to_owned(), secret, scope }))
    }
}

fn refuse_short(setting: &str, secret: &SecretString) -> Result<()> {
    match secret.expose_secret().chars().count() {
        length if length < TOKEN_LENGTH_MIN => bail!(
            "{setting}: the API token has {length} characters, and one under {TOKEN_LENGTH_MIN} \
             could be guessed; make one with `openssl rand -hex 32`"
        ),
        _ => Ok(()),
    }
}

/// Rejects equal tokens: it would be unclear which scope applies.
fn refuse_alike(tokens: &[ApiToken]) -> Result<()> {
    for (at, token) in tokens.iter().enumerate() {
        let same = |other: &&ApiToken| other.secret.expose_secret() == token.secret.expose_secret();
        if let Some(other) = tokens[..at].iter().find(same) {
            bail!(
                "the API tokens {} and {} are the same; give each its own",
                other.name,
                token.name
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ApiScope;

    #[test]
    fn a_scope_is_a_set_of_words() {
        for (text, read_as) in [
            ("read", "read"),
            ("read:masked", "read:masked"),
            ("find  read:masked", "read:masked find"),
            ("send", "send"),
            ("read send", "read send"),
            ("read:masked find send", "read:masked find send"),
            ("operate", "operate"),
            ("operate send read", "read send operate"),
        ] {
            assert_eq!(ApiScope::parse(text).unwrap().to_string(), read_as);
        }
        for (text, reason) in [
            ("", "it is empty; use one or more of read, read:masked, find, send, operate"),
            ("write", "`write` is none of read, read:masked, find, send, operate"),
            (
                "Read",
                "`Read` is none of read, read:masked, find, send, operate; similar: read, read:masked",
            ),
            ("find", "`find`: find needs read:masked too, as in `read:masked find`"),
            ("find send", "`find send`: find needs read:masked too, as in `read:masked find`"),
            (
                "read read:masked",
                "`read read:masked` has a word twice, or both read and read:masked",
            ),
            ("send send", "`send send` has a word twice, or both read and read:masked"),
        ] {
            assert_eq!(ApiScope::parse(text).unwrap_err(), reason);
        }
    }
}
