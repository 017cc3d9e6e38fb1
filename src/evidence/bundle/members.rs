//! The members of a JSON object, of which none may be missing or unknown.

use serde_json::{Map, Value};

/// Reads members, and remembers which were read.
pub struct Members<'a> {
    object: &'a Map<String, Value>,
    read: Vec<&'static str>,
}

impl<'a> Members<'a> {
    /// The members of a value that has to be an object. `what` names it in errors.
    pub fn of(value: &'a Value, what: &str) -> Result<Self, String> {
        let object = value.as_object().ok_or_else(|| format!("{what} is not an object"))?;
        Ok(Self { object, read: Vec::new() })
    }

    /// Whether there is such a member.
    pub fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// A member of any type.
    pub fn value(&mut self, name: &'static str) -> Result<&'a Value, String> {
        self.read.push(name);
        self.object.get(name).ok_or_else(|| format!("`{name}` is missing"))
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Result<&'a str, String> {
        self.value(name)?.as_str().ok_or_else(|| format!("`{name}` is not a text"))
    }

    /// A text or null.
    pub fn optional_text(&mut self, name: &'static str) -> Result<Option<&'a str>, String> {
        match self.value(name)? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(format!("`{name}` is neither a text nor null")),
        }
    }

    /// An integer from 1 on, as positions are.
    pub fn position(&mut self, name: &'static str) -> Result<u64, String> {
        let number = self.value(name)?.as_u64().filter(|number| *number > 0);
        number.ok_or_else(|| format!("`{name}` is not an integer from 1 on"))
    }

    /// A list.
    pub fn list(&mut self, name: &'static str) -> Result<&'a [Value], String> {
        let list = self.value(name)?.as_array();
        list.map(Vec::as_slice).ok_or_else(|| format!("`{name}` is not a list"))
    }

    /// A list of texts.
    pub fn texts(&mut self, name: &'static str) -> Result<Vec<String>, String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = self.list(name)?.iter().map(text).collect::<Option<_>>();
        texts.ok_or_else(|| format!("`{name}` is not a list of texts"))
    }

    /// Fails if there is a member that was not read.
    pub fn finish(self) -> Result<(), String> {
        let is_unknown = |name: &&String| !self.read.contains(&name.as_str());
        match self.object.keys().find(is_unknown) {
            None => Ok(()),
            Some(name) => {
                let shown: String = name.escape_debug().take(40).collect();
                Err(format!("`{shown}` is not a member that belongs there"))
            }
        }
    }
}
