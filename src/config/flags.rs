//! Settings that were given as flags.

use std::collections::BTreeMap;

use super::setting::Setting;

/// The values of flags, by flag.
#[derive(Debug, Clone, Default)]
pub struct Flags(BTreeMap<&'static str, Vec<String>>);

impl Flags {
    /// Adds a setting's values, if there are any.
    ///
    /// # Panics
    /// If the setting has no flag.
    pub fn with(mut self, setting: &Setting, values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.insert(setting.flag.expect("a setting with a flag"), values);
        }
        self
    }

    /// Adds all of these flags.
    pub(super) fn extend(&mut self, flags: Flags) {
        self.0.extend(flags.0);
    }

    /// The values of a flag; `None` if it was not given.
    pub(super) fn values(&self, flag: &str) -> Option<&[String]> {
        self.0.get(flag).map(Vec::as_slice)
    }
}
