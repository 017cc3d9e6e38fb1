//! JSON bodies: the members that are read of them, and what the bodies of each kind report of a message.

pub mod batch;
pub mod clicks;
pub mod cloud_event;
pub mod error_log;
pub mod feedback;
mod members;
pub mod message_resource;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The top-level scalars of a JSON object, including repeated names: a map would silently let the last
/// one win.
#[derive(Debug, Default)]
pub struct TopLevel {
    pairs: Vec<(String, String)>,
    is_cloud_event: bool,
    /// Unparsed: parsing it here would parse nested values once per level.
    data: Option<Box<RawValue>>,
    /// Likewise.
    tags: Option<Box<RawValue>>,
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

    /// The members of its object `tags` that are texts, numbers or truth values, which are given as text.
    pub fn tags(&self) -> Vec<(String, String)> {
        let tags = self.tags.as_deref().and_then(|tags| serde_json::from_str(tags.get()).ok());
        let members: Map<String, Value> = tags.unwrap_or_default();
        let text = |(name, value)| match value {
            Value::String(text) => Some((name, text)),
            Value::Number(_) | Value::Bool(_) => Some((name, value.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        members.into_iter().filter_map(text).collect()
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
                "tags" => {
                    let tags = map.next_value()?;
                    object.tags.get_or_insert(tags);
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

const NAMES_READ: [&str; 38] = [
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
    "num_segments",
    "price",
    "price_unit",
    "Price",
    "PriceUnit",
    "outcome",
    // Of the envelope of a CloudEvent.
    "id",
    "type",
    "time",
    // Of the data of a CloudEvent.
    "messageStatus",
    "errorCode",
    "messagingServiceSid",
    "rawDlrDoneDate",
    "timestamp",
    "numberOfSegments",
    "mcc",
    "mnc",
    // Of a click.
    "event_type",
    "link",
    "click_time",
    "user_agent",
];
