//! Reads a secret from a file, as containers and service managers provide them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use secrecy::SecretString;

/// Reads a secret. One trailing line end is removed.
pub fn read(setting: &str, path: &Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{setting}: cannot read the secret in {}", path.display()))?;
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let secret = text.strip_suffix('\n').unwrap_or(text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        bail!("{setting}: {} is empty; it should hold the secret and nothing else", path.display());
    }
    Ok(SecretString::from(secret.to_owned()))
}
