//! The value of every setting in effect, and where it came from. Secrets are only reported as set.

use anyhow::Result;

use super::Setting;
use super::declarations::SETTINGS;
use super::origin::Origin;
use crate::config::Settings;

/// A setting's value in effect.
#[derive(Debug)]
pub struct EffectiveSetting {
    /// The key in the configuration file.
    pub setting: &'static str,
    /// The value in words, or what is wrong with it.
    pub value: Result<String>,
    /// Where the value comes from.
    pub origin: Origin,
}

impl Settings {
    /// Every setting except the accounts' keys, for which see [`Settings::key_sources`].
    pub fn effective(&self) -> Vec<EffectiveSetting> {
        let effective = |setting: &&Setting| {
            let value = setting.show?(self);
            Some(EffectiveSetting { setting: setting.key, value, origin: self.origin(setting) })
        };
        SETTINGS.iter().filter_map(effective).collect()
    }

    pub(in crate::config) fn origin(&self, setting: &Setting) -> Origin {
        if let Some(flag) = setting.flag.filter(|flag| self.flags.values(flag).is_some()) {
            return Origin::Flag(flag);
        }
        let first_set = |variables: &[&'static str]| {
            let mut variables = variables.iter().copied();
            let name = variables.find(|name| self.environment.contains_key(*name))?;
            Some(Origin::Variable(name.to_owned()))
        };
        let own = setting.variable.and_then(|variable| first_set(&[variable]));
        if let Some(variable) = own.or_else(|| first_set(setting.other_variables)) {
            return variable;
        }
        let keys: Vec<_> =
            [setting.key].into_iter().chain(setting.other_keys.iter().copied()).collect();
        if keys.iter().any(|key| self.file.has(key)) {
            return self.origin_in_file(&keys);
        }
        first_set(setting.fallback_variables).unwrap_or(Origin::Default)
    }
}
