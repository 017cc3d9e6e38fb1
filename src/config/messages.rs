//! Messages about settings: warnings, each logged once per process, and errors of invalid values.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;

/// Settings are read at the start, for every reload, and again by each part that needs them.
static LOGGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Logs a warning unless this process has logged the same text before.
pub fn warn_once(text: String) {
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    if !logged.contains(&text) {
        tracing::warn!("{text}");
        logged.insert(text);
    }
}

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
