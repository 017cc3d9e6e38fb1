//! Warnings about settings, each logged once per process: settings are read at the start, for every
//! reload, and again by each part that needs them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

static LOGGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Logs a warning unless this process has logged the same text before.
pub fn warn_once(text: String) {
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    if !logged.contains(&text) {
        tracing::warn!("{text}");
        logged.insert(text);
    }
}
