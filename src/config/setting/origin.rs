//! Where a value came from: a flag, a variable, the configuration file, or the default.

use std::fmt;
use std::path::PathBuf;

use crate::config::Settings;

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The flag with its dashes.
    Flag(&'static str),
    /// The environment variable.
    Variable(String),
    /// The configuration file, and the line if it is known.
    File {
        /// The configuration file.
        path: PathBuf,
        /// The line, from 1.
        line: Option<usize>,
    },
    /// The default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Variable(name) => f.write_str(name),
            Origin::File { path, line: None } => write!(f, "{}", path.display()),
            Origin::File { path, line: Some(line) } => write!(f, "{}, line {line}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

impl Settings {
    /// The configuration file, with the line of the first of these keys that it has.
    pub(in crate::config) fn origin_in_file(&self, keys: &[&str]) -> Origin {
        let path = self.config_file().map(PathBuf::from).unwrap_or_default();
        Origin::File { path, line: self.file.line(keys) }
    }
}
