//! One `[forward.NAME]` of the configuration file.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use toml::Value;

/// A target of forwarding as it is written. The types of most values are checked later, so that an error can
/// name the key and the value.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardEntry {
    pub url: Option<Value>,
    pub account: Option<Value>,
    pub path: Option<Value>,
    pub tags: Option<Value>,
    pub status: Option<Value>,
    pub source: Option<Value>,
    pub events: Option<Value>,
    pub from: Option<Value>,
    pub format: Option<Value>,
    pub secret: Option<SecretString>,
    pub secret_file: Option<PathBuf>,
    pub give_up_after: Option<Value>,
    pub timeout: Option<Value>,
    pub requests: Option<Value>,
    pub allow_link_local: Option<Value>,
}
