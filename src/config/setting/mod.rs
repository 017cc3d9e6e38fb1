//! `Setting`: the declaration of one setting, with its flag, variable, file key and default.
//! All settings are declared in `declarations.rs`.

pub mod declarations;
pub mod effective;
pub mod environment;
mod evidence;
pub mod origin;
mod shown;

use std::collections::BTreeMap;

use super::Settings;

/// One setting: every name under which it can be given, its default, and how its value is shown.
pub struct Setting {
    /// The key in the configuration file, with its section, such as `reconcile.every`. `doctor` calls
    /// the setting by this name.
    pub key: &'static str,
    /// The kind of its value in the file.
    /// The kind of its value in the file.
    pub form: Form,
    /// The flag with its dashes; `None` if there is no flag.
    pub flag: Option<&'static str>,
    /// The environment variable; `None` if there is none.
    pub variable: Option<&'static str>,
    /// The default as it would be written in the file; `None` if there is no fixed default.
    pub default: Option<&'static str>,
    /// What it is, in a few words, for help pages; empty if another setting is shown for it.
    pub about: &'static str,
    /// What else somebody who writes the configuration file should know; empty if nothing.
    pub note: &'static str,
    /// A value for the commented configuration file, if there is no default.
    pub example: Option<&'static str>,
    /// How `config show` and `doctor` show the value in effect; `None` if they show it as part of another
    /// setting.
    pub show: Option<fn(&Settings) -> anyhow::Result<String>>,
    /// Other variables that the value shown may come from.
    pub other_variables: &'static [&'static str],
    /// Other file keys that the value shown may come from.
    pub other_keys: &'static [&'static str],
    /// Variables that are read if neither variable nor file has the setting.
    pub fallback_variables: &'static [&'static str],
}

/// How a setting is written in the configuration file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A string.
    Text,
    /// A string or a list of strings; separated by commas in the environment.
    List,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A section or a secret, which `ConfigFile` has a field for.
    Special,
    /// Not in the file: the environment alone has it.
    EnvironmentOnly,
}

impl Setting {
    /// A setting with only this file key.
    pub const fn new(key: &'static str, form: Form) -> Self {
        Self {
            key,
            form,
            flag: None,
            variable: None,
            default: None,
            about: "",
            note: "",
            example: None,
            show: None,
            other_variables: &[],
            other_keys: &[],
            fallback_variables: &[],
        }
    }

    /// Adds a flag, given with its dashes.
    pub const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    /// Adds an environment variable.
    pub const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    /// Adds a default, as it would be written in the file.
    pub const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Adds a description: a phrase without a full stop.
    pub const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Adds further sentences for the commented configuration.
    pub const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// Adds an example of a setting without a default.
    pub const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// Adds the function that parses the value, and shows it in words.
    pub const fn shown(self, show: fn(&Settings) -> anyhow::Result<String>) -> Self {
        Self { show: Some(show), ..self }
    }

    /// Adds variables that set it in another form, such as a file with the value.
    pub const fn other_variables(self, other_variables: &'static [&'static str]) -> Self {
        Self { other_variables, ..self }
    }

    /// Adds other keys of the configuration file.
    pub const fn other_keys(self, other_keys: &'static [&'static str]) -> Self {
        Self { other_keys, ..self }
    }

    /// Adds variables that are read if the setting is not given.
    pub const fn fallback_variables(self, fallback_variables: &'static [&'static str]) -> Self {
        Self { fallback_variables, ..self }
    }
}

/// A value as it was given, and the name under which it was given.
pub struct Given {
    /// The flag, the variable or the file key, for error messages.
    pub name: &'static str,
    pub values: Vec<String>,
}

impl Settings {
    /// The value given by flag, environment or file, in this order; `None` if only the default applies.
    pub(super) fn given(&self, setting: &Setting) -> Option<Given> {
        let of_flag = setting.flag.and_then(|flag| {
            self.flags.values(flag).map(|values| Given { name: flag, values: values.to_vec() })
        });
        let of_variable = || {
            let name = setting.variable?;
            let value = self.environment.get(name)?;
            let values = match setting.form {
                Form::List => {
                    let items = value.split(',').map(str::trim);
                    items.filter(|item| !item.is_empty()).map(String::from).collect()
                }
                _ => vec![value.clone()],
            };
            Some(Given { name, values })
        };
        let of_file = || {
            let values = self.file.values.get(setting.key)?.clone();
            Some(Given { name: setting.key, values })
        };
        of_flag.or_else(of_variable).or_else(of_file)
    }

    /// The name and the single value; `None` if only the default applies.
    pub(super) fn given_text(&self, setting: &Setting) -> Option<(&'static str, String)> {
        let Given { name, values } = self.given(setting)?;
        values.into_iter().next_back().map(|value| (name, value))
    }

    /// The same, or else the default.
    pub(super) fn text(&self, setting: &Setting) -> (&'static str, String) {
        let default = || ("the default", setting.default.unwrap_or_default().to_owned());
        self.given_text(setting).unwrap_or_else(default)
    }
}

/// The settings that were given as flags: the values of each.
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

    /// These flags and those.
    pub fn and(mut self, flags: Flags) -> Self {
        self.extend(flags);
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
