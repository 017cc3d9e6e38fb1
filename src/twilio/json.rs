//! The members that are read of a JSON body: the account, the message, and those of Twilio's Message
//! resource.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The top-level scalars of a JSON object, including repeated names: a map would silently let the last
/// one win.
#[derive(Debug, Default)]
pub struct TopLevel {
    pairs: Vec<(String, String)>,
    is_cloud_event: bool,
    /// Unparsed: parsing it here would parse nested values once per level.
    data: Option<Box<RawValue>>,
}

impl TopLevel {
    /// Parses a body; empty if it is not a JSON object.
    pub fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// The first value of the first of these names that occurs.
    pub fn first(&self, names: &[&str]) -> Option<String> {
        let value = |name: &&str| self.pairs.iter().find(|(have, _)| have == name);
        names.iter().find_map(value).map(|(_, value)| value.clone())
    }

    /// Every value of these names.
    pub fn values(&self, names: &[&str]) -> Vec<Cow<'_, str>> {
        let wanted = self.pairs.iter().filter(|(name, _)| names.contains(&name.as_str()));
        wanted.map(|(_, value)| Cow::Borrowed(value.as_str())).collect()
    }

    /// The data of a CloudEvent, which has `specversion` and an object `data`
    /// (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).
    pub fn cloud_event(&self) -> Option<TopLevel> {
        let data = self.data.as_deref().filter(|_| self.is_cloud_event)?;
        serde_json::from_str(data.get()).ok()
    }
}

impl<'de> Deserialize<'de> for TopLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TopLevelVisitor)
    }
}

struct TopLevelVisitor;

impl<'de> Visitor<'de> for TopLevelVisitor {
    type Value = TopLevel;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<TopLevel, M::Error> {
        let mut object = TopLevel::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "specversion" => {
                    object.is_cloud_event = true;
                    map.next_value::<IgnoredAny>()?;
                }
                "data" => {
                    let data = map.next_value()?;
                    object.data.get_or_insert(data);
                }
                known if NAMES_READ.contains(&known) => match map.next_value::<Value>()? {
                    Value::String(text) => object.pairs.push((name, text)),
                    Value::Number(number) => object.pairs.push((name, number.to_string())),
                    _ => {}
                },
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(object)
    }
}

const NAMES_READ: [&str; 17] = [
    "AccountSid",
    "account_sid",
    "accountSid",
    "MessageSid",
    "message_sid",
    "messageSid",
    "sms_sid",
    "sid",
    "status",
    "error_code",
    "error_message",
    "from",
    "to",
    "messaging_service_sid",
    "direction",
    "date_created",
    "date_sent",
];
