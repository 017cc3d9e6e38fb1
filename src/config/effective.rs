//! The value of every setting in effect, and where it came from. Secrets are only reported as set.

use anyhow::Result;

use super::Settings;
use super::declarations::SETTINGS;
use super::setting::Setting;

/// A setting's value in effect.
#[derive(Debug)]
pub struct EffectiveSetting {
    /// The key in the configuration file.
    pub setting: &'static str,
    /// The value in words, or what is wrong with it.
    pub value: Result<String>,
    /// The flag or variable that has it, the path of the configuration file and the line, or `default`.
    pub origin: String,
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

    fn origin(&self, setting: &Setting) -> String {
        let flag = setting.flag.filter(|flag| self.flags.values(flag).is_some());
        let first_set = |variables: &[&'static str]| {
            variables.iter().copied().find(|name| self.environment.contains_key(*name))
        };
        let variable = || {
            let own = setting.variable.and_then(|variable| first_set(&[variable]));
            own.or_else(|| first_set(setting.other_variables))
        };
        if let Some(name) = flag.or_else(variable) {
            return name.to_owned();
        }
        let has_other = setting.other_keys.iter().any(|key| self.file.has(key));
        if self.file.has(setting.key) || has_other {
            let file = self.config_file().map(|file| file.display().to_string());
            let keys: Vec<_> =
                [setting.key].into_iter().chain(setting.other_keys.iter().copied()).collect();
            let line = self.file.line(&keys).map(|line| format!(", line {line}"));
            return file.unwrap_or_default() + &line.unwrap_or_default();
        }
        first_set(setting.fallback_variables).unwrap_or("default").to_owned()
    }
}
