//! Named text values, such as query parameters, read into a struct with serde.
//!
//! Every error names the parameter and quotes its value. A field of a type that serde does not know
//! is read by one of the functions below, as its `deserialize_with`.

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::iter::Peekable;

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use utoipa::IntoParams;

use super::written_time::{self, WrittenTime};
use crate::domain::event::parse_position;
use crate::domain::time::zone::Zone;
use crate::domain::{AccountSid, Position};

/// A value that its parameter does not accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} `{}` is not {expected}", value.escape_debug())]
pub struct BadValue {
    /// The name of the parameter.
    pub name: String,
    /// The value as given.
    pub value: String,
    /// A noun phrase that says what is accepted.
    pub expected: String,
}

/// A struct that serde reads and that the API's description lists: one declaration for both.
pub trait Parameters: DeserializeOwned + IntoParams {}

impl<T: DeserializeOwned + IntoParams> Parameters for T {}

/// The names of a struct's parameters, in the order of its fields.
pub fn names<T: Parameters>() -> impl Iterator<Item = String> {
    T::into_params(|| None).into_iter().map(|parameter| parameter.name)
}

/// Reads a struct from the values of its parameters; values of other names are ignored.
pub fn read<T: Parameters>(values: &BTreeMap<String, String>) -> Result<T, BadValue> {
    T::deserialize(Values(values))
}

/// Reads a value with `parse`, which returns `None` if it is not what is expected.
pub fn parsed<'de, D: Deserializer<'de>, T>(
    value: D,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(value)?;
    parse(&text).map(Some).ok_or_else(|| D::Error::custom(expected))
}

/// An account's SID, or any other text that is not empty.
pub fn account_sid<'de, D: Deserializer<'de>>(value: D) -> Result<Option<AccountSid>, D::Error> {
    parsed(value, SID, AccountSid::parse)
}

/// Text that is not empty, where a SID is expected.
pub fn sid<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    parsed(value, SID, not_empty)
}

/// A position; 0 is the one before the first. See [`parse_position`].
pub fn position<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Position>, D::Error> {
    parsed(value, POSITION, parse_position)
}

/// A time; see [`WrittenTime::parse`].
pub fn time<'de, D: Deserializer<'de>>(value: D) -> Result<Option<WrittenTime>, D::Error> {
    parsed(value, written_time::EXPECTED, WrittenTime::parse)
}

/// The name of a time zone.
pub fn time_zone<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Zone>, D::Error> {
    let name = String::deserialize(value)?;
    Zone::parse(&name).map(Some).map_err(|unknown| D::Error::custom(unknown.expected()))
}

/// The parameter of a filter by tag, as the API describes it: `NAME` stands for any name.
pub const TAG_PARAMETER: &str = "tag.NAME";

/// The prefix of such parameters.
pub const TAG_PREFIX: &str = "tag.";

const SID: &str = "a SID";
/// What is expected of a position.
pub const POSITION: &str = "a position, such as 42";

/// The text, unless it is empty.
pub fn not_empty(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

impl BadValue {
    /// A value for which something else was expected.
    pub fn new(name: &str, value: &str, expected: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), expected: expected.into() }
    }
}

/// Inside a value only the expectation is known; `Entries` adds the name and the value.
impl Error for BadValue {
    fn custom<T: fmt::Display>(expected: T) -> Self {
        Self::new("", "", expected.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new("", "", format!("one of {}", expected.join(", ")))
    }
}

/// Values by name, as serde reads a struct from them. The parameters of filters by tag, whose names are
/// the users', are one field.
struct Values<'a>(&'a BTreeMap<String, String>);

impl<'de> Deserializer<'de> for Values<'_> {
    type Error = BadValue;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadValue> {
        visitor.visit_map(Entries { entries: self.0.iter().peekable(), current: Entry::None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Entries<'a> {
    entries: Peekable<btree_map::Iter<'a, String, String>>,
    /// What was read last.
    current: Entry<'a>,
}

/// One field.
#[derive(Default)]
enum Entry<'a> {
    #[default]
    None,
    Value(&'a str, &'a str),
    /// The names and values of filters by tag.
    Tags(Vec<(&'a str, &'a str)>),
}

impl<'a, 'de> MapAccess<'de> for Entries<'a> {
    type Error = BadValue;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, BadValue> {
        let tag = |(name, value): (&'a String, &'a String)| {
            Some((name.strip_prefix(TAG_PREFIX)?, value.as_str()))
        };
        let Some(first) = self.entries.next() else { return Ok(None) };
        let Some(first_tag) = tag(first) else {
            self.current = Entry::Value(first.0, first.1);
            return seed.deserialize(text(first.0)).map(Some);
        };
        // The names are in order, so that all of them follow.
        let mut tags = vec![first_tag];
        while let Some(next) = self.entries.peek().copied().and_then(tag) {
            tags.push(next);
            self.entries.next();
        }
        self.current = Entry::Tags(tags);
        seed.deserialize(text(TAG_PARAMETER)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, BadValue> {
        match std::mem::take(&mut self.current) {
            Entry::None => Err(BadValue::custom("a value")),
            Entry::Value(name, value) => seed
                .deserialize(Value(value))
                .map_err(|BadValue { expected, .. }| BadValue::new(name, value, expected)),
            Entry::Tags(tags) => {
                let shown = tags.iter().map(|(name, value)| format!("{name}={value}"));
                let shown = shown.collect::<Vec<_>>().join("&");
                seed.deserialize(MapDeserializer::new(tags.into_iter()))
                    .map_err(|BadValue { expected, .. }| BadValue::new("tag", &shown, expected))
            }
        }
    }
}

/// One value: text, unless its field is a boolean or one of a few words.
struct Value<'a>(&'a str);

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = BadValue;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadValue> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadValue> {
        visitor.visit_some(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BadValue> {
        visitor.visit_bool(self.0.parse().map_err(|_| BadValue::custom("true or false"))?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BadValue> {
        text(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

fn text(text: &str) -> StrDeserializer<'_, BadValue> {
    text.into_deserializer()
}
