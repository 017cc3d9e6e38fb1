//! One value of a target with its key, for errors that name both.

use anyhow::{Error, Result, anyhow};

use crate::domain::similar::suggestion;

/// A value as it is written in the file.
pub struct Value<'a> {
    /// Such as `forward.orders.url`.
    key: String,
    value: &'a toml::Value,
}

impl<'a> Value<'a> {
    /// The value of a target's key; `None` if it is not set.
    pub fn new(target: &str, key: &str, value: &'a Option<toml::Value>) -> Option<Self> {
        let value = value.as_ref()?;
        Some(Self { key: format!("forward.{target}.{key}"), value })
    }

    /// Its key, such as `forward.orders.url`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// An error with the key and the value; the reason completes a sentence that begins with the value.
    pub fn error(&self, reason: &str) -> Error {
        match self.value {
            toml::Value::String(text) => self.error_in(text, reason),
            value => anyhow!("{}: `{value}` {reason}", self.key),
        }
    }

    /// The same for a part of the value.
    pub fn error_in(&self, part: &str, reason: &str) -> Error {
        anyhow!("{}: `{}` {reason}", self.key, part.escape_debug())
    }

    /// The string; `None` if it has another type.
    pub fn text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The number; `None` if it has another type.
    pub fn number(&self) -> Option<i64> {
        self.value.as_integer()
    }

    /// A string, or the digits of a number; `None` if it has another type.
    pub fn text_or_number(&self) -> Option<String> {
        self.text().map(str::to_owned).or_else(|| self.number().map(|number| number.to_string()))
    }

    /// The boolean.
    pub fn boolean(&self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.error("is not true or false"))
    }

    /// The string, which has to be one of these.
    pub fn one_of<const N: usize>(&self, known: [&'static str; N]) -> Result<&'static str> {
        let text = self.text().unwrap_or_default();
        known.into_iter().find(|known| *known == text).ok_or_else(|| {
            self.error(&format!("is not one of {}{}", known.join(", "), suggestion(text, known)))
        })
    }

    /// A string, or a list of at least one string.
    pub fn texts(&self) -> Result<Vec<&'a str>> {
        let texts = match self.value {
            toml::Value::String(text) => Some(vec![text.as_str()]),
            toml::Value::Array(values) => values.iter().map(toml::Value::as_str).collect(),
            _ => None,
        };
        let texts = texts.ok_or_else(|| self.error("is not a string or a list of strings"))?;
        match texts.is_empty() {
            true => Err(self.error("is empty; leave it out if there is no condition")),
            false => Ok(texts),
        }
    }

    /// The names of a table, and its values, which have to be strings.
    pub fn pairs(&self) -> Result<Vec<(&'a str, &'a str)>> {
        let pair =
            |(name, value): (&'a String, &'a toml::Value)| Some((name.as_str(), value.as_str()?));
        let table = self.value.as_table();
        table.and_then(|table| table.iter().map(pair).collect()).ok_or_else(|| {
            self.error("is not a table of names and strings, such as { campaign = \"spring\" }")
        })
    }
}
