//! API tokens for the admin listener: a single one, and several with names and scopes.

use anyhow::{Result, bail};
use secrecy::{ExposeSecret, SecretString};

use super::{Settings, credential};

/// The minimum length of a token: 16 random hex digits cannot be guessed.
const TOKEN_LENGTH_MIN: usize = 16;

/// One token.
#[derive(Debug)]
pub struct ApiToken {
    /// Its name in messages; for the single token, the name of the setting.
    pub name: String,
    pub secret: SecretString,
    pub scope: ApiScope,
}

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiScope {
    /// See everything.
    Read,
    /// See everything, but only the last four digits of addresses.
    ReadMasked,
    /// Send messages, and see nothing.
    Send,
    ReadAndSend,
    ReadMaskedAndSend,
}

impl ApiScope {
    const ALL: [ApiScope; 5] = [
        ApiScope::Read,
        ApiScope::ReadMasked,
        ApiScope::Send,
        ApiScope::ReadAndSend,
        ApiScope::ReadMaskedAndSend,
    ];

    /// The scope with this name.
    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            ApiScope::Read => "read",
            ApiScope::ReadMasked => "read:masked",
            ApiScope::Send => "send",
            ApiScope::ReadAndSend => "read send",
            ApiScope::ReadMaskedAndSend => "read:masked send",
        }
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
        let mut tokens: Vec<ApiToken> = self.single_api_token()?.into_iter().collect();
        for (name, entry) in &self.file.api_tokens {
            let setting = format!("api_tokens.{name}");
            let Some(scope) = ApiScope::parse(&entry.scope) else {
                bail!(
                    "{setting}.scope: `{}` is neither read nor read:masked, nor send, nor one of \
                     these and send",
                    entry.scope
                );
            };
            let file_setting = format!("{setting}.token_file");
            let secret = self.file.read_secret(&file_setting, &entry.token_file)?;
            refuse_short(&file_setting, &secret)?;
            let secret = credential::secret(&file_setting, secret)?;
            tokens.push(ApiToken { name: name.clone(), secret, scope });
        }
        refuse_alike(&tokens)?;
        Ok(tokens)
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
        Ok(Some(ApiToken { name: name.to_owned(), secret, scope: ApiScope::Read }))
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
