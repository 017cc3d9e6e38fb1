//! Settings of seals.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::setting::Setting;
use super::{
    SEAL_EVERY, SEAL_FILE, SEAL_KEY_FILE, SEAL_ORIGIN, SEAL_TIMESTAMP_CERTIFICATES,
    SEAL_TIMESTAMP_URL, Settings, credential,
};
use crate::domain::statement::is_name;
use crate::domain::time::duration;
use crate::seal::attest::Attesting;
use crate::seal::authority::TimestampAuthority;
use crate::seal::note::key::{KeyType, PrivateKey, PublicKey};
use crate::seal::sealer::Sealer;
use crate::seal::timestamp::AuthorityCertificates;
use crate::seal::witness::Witness;
use crate::seal::worker::Sealing;

/// One `[[seal.witnesses]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessEntry {
    /// Its public key, `NAME+ID+BASE64`.
    pub key: String,
    /// What `/add-checkpoint` is appended to.
    pub url: String,
}

impl Settings {
    /// Everything needed to seal and to have others attest of it, with the key as it is in its file now.
    pub fn sealing(&self) -> Result<Sealing> {
        let sealer = match self.seal_key()? {
            Some(key) => Some(Sealer { key, prefix: self.seal_prefix()?, file: self.seal_file() }),
            None => None,
        };
        let attesting =
            Attesting { witnesses: self.witnesses()?, authority: self.timestamp_authority()? };
        Ok(Sealing { sealer, attesting })
    }

    /// How often a server seals on its own; `None` if it does not.
    pub fn seal_every(&self) -> Result<Option<Duration>> {
        let (name, value) = self.text(&SEAL_EVERY);
        if value == "off" {
            return Ok(None);
        }
        duration::parse(&value).ok().map(Some).ok_or_else(|| {
            anyhow!("{name}: `{value}` is neither off nor a time from 1s on, such as 1h")
        })
    }

    /// The file with the private key; `None` if none is configured.
    pub fn seal_key_file(&self) -> Option<PathBuf> {
        self.seal_path(&SEAL_KEY_FILE)
    }

    /// The file to which seals are appended; `None` if none is configured.
    pub fn seal_file(&self) -> Option<PathBuf> {
        self.seal_path(&SEAL_FILE)
    }

    /// What origins begin with.
    pub fn seal_prefix(&self) -> Result<String> {
        let (name, prefix) = self.text(&SEAL_ORIGIN);
        match is_name(&prefix) && !prefix.ends_with('/') {
            true => Ok(prefix),
            false => bail!(
                "{name}: `{}` is not a name without blanks and plus signs, such as ledger.example.com",
                prefix.escape_debug()
            ),
        }
    }

    /// The configured witnesses.
    pub fn witnesses(&self) -> Result<Vec<Witness>> {
        self.file.witnesses.iter().map(witness).collect()
    }

    /// The file with the certificates of the timestamp authority; `None` if none is configured.
    pub fn timestamp_certificates_file(&self) -> Option<PathBuf> {
        self.seal_path(&SEAL_TIMESTAMP_CERTIFICATES)
    }

    /// The timestamp authority. Its answers can only be verified by its certificates, so both are needed.
    pub fn timestamp_authority(&self) -> Result<Option<TimestampAuthority>> {
        let url = self.given_text(&SEAL_TIMESTAMP_URL);
        let (url, path) = match (url, self.timestamp_certificates_file()) {
            (None, None) => return Ok(None),
            (Some((_, url)), Some(path)) => (url, path),
            (Some((name, _)), None) => {
                bail!("{name} is set, but not {}", SEAL_TIMESTAMP_CERTIFICATES.key)
            }
            (None, Some(_)) => bail!(
                "{} is set, but not {}",
                SEAL_TIMESTAMP_CERTIFICATES.key,
                SEAL_TIMESTAMP_URL.key
            ),
        };
        if !is_http(&url) {
            bail!(
                "{}: `{}` is not a URL of HTTP, such as https://timestamp.example.com/tsr",
                SEAL_TIMESTAMP_URL.key,
                url.escape_debug()
            );
        }
        let of_file = || format!("{}: {}", SEAL_TIMESTAMP_CERTIFICATES.key, path.display());
        let pem = std::fs::read(&path).with_context(of_file)?;
        let certificates = AuthorityCertificates::from_pem(&pem).with_context(of_file)?;
        Ok(Some(TimestampAuthority { url, certificates }))
    }

    fn seal_key(&self) -> Result<Option<PrivateKey>> {
        let Some(path) = self.seal_key_file() else { return Ok(None) };
        let name = self.given_text(&SEAL_KEY_FILE).map_or(SEAL_KEY_FILE.key, |(name, _)| name);
        let secret = credential::read_file(name, &path).map_err(|error| match path.exists() {
            true => error,
            // The key has the id of the ledger in its name.
            false => anyhow!(
                "{error:#}; `seal key new` makes one for a ledger that exists, so start a new ledger once without \
                 this setting"
            ),
        })?;
        let key = PrivateKey::parse(secret.expose_secret())
            .with_context(|| format!("{name}: {}", path.display()))?;
        Ok(Some(key))
    }

    fn seal_path(&self, setting: &Setting) -> Option<PathBuf> {
        let (name, path) = self.given_text(setting)?;
        let in_file = name == setting.key;
        Some(if in_file { self.file.path(Path::new(&path)) } else { path.into() })
    }
}

fn witness(entry: &WitnessEntry) -> Result<Witness> {
    let key = PublicKey::parse(&entry.key).with_context(|| {
        format!("[[seal.witnesses]]: the key `{}`", PublicKey::shown(&entry.key))
    })?;
    if key.kind() != KeyType::Cosignature {
        bail!("[[seal.witnesses]]: the key `{key}` signs notes; that of a witness has the type 4");
    }
    let url = entry.url.trim_end_matches('/');
    if !is_http(url) {
        bail!(
            "[[seal.witnesses]]: the URL `{}` is not a URL of HTTP, such as https://witness.example.com",
            entry.url.escape_debug()
        );
    }
    Ok(Witness { key, url: url.to_owned() })
}

fn is_http(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}
