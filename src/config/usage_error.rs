//! `UsageError`: an argument that makes no sense. The process exits with code 2.

use anyhow::anyhow;

/// An argument that makes no sense; the command must be called differently. The same value in the
/// environment or the configuration file is an ordinary error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The error for a setting's value: a [`UsageError`] if the value came from a flag.
pub fn invalid(setting: &str, text: String) -> anyhow::Error {
    match setting.starts_with("--") {
        true => UsageError(text).into(),
        false => anyhow!(text),
    }
}
