//! A flag's value that cannot be meant, which is wrong usage.

use anyhow::anyhow;

/// A flag whose value cannot be meant: wrong usage, unlike the same value in a file or the environment.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongFlag(String);

/// The refusal of a setting's value, which may be a flag's.
pub fn wrong(setting: &str, text: String) -> anyhow::Error {
    match setting.starts_with("--") {
        true => WrongFlag(text).into(),
        false => anyhow!(text),
    }
}
