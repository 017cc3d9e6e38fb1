//! Twilio's Message resource as JSON: one message of a response, a page or an export. This file removes
//! the text of the message; `callback` reads the facts.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::domain::Timestamp;

/// The member that contains the text of the message.
const TEXT: &str = "body";

/// The error for bytes that are not a Message resource. It does not quote them, because they may be
/// somebody's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one JSON object, by line {line}, column {column} of it")]
pub struct NotAnObject {
    /// The line of the error, from 1.
    pub line: usize,
    /// The column of the error, from 1.
    pub column: usize,
}

/// One message's JSON without its text: every member named `body`, in any letter case, is removed. All
/// others keep their order and their values byte for byte; white space between members is lost.
///
/// ```
/// use delivery_ledger::twilio::resource::without_text;
///
/// let kept = without_text(br#"{"sid": "SM1", "body": "hello", "price": -0.00750}"#).unwrap();
/// assert_eq!(kept, br#"{"sid":"SM1","price":-0.00750}"#);
/// assert!(without_text(b"hello").is_err());
/// ```
pub fn without_text(json: &[u8]) -> Result<Vec<u8>, NotAnObject> {
    let members = members(json)?;
    let kept = members.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(TEXT));
    let mut written = Vec::with_capacity(json.len());
    for (at, (name, value)) in kept.enumerate() {
        written.push(if at == 0 { b'{' } else { b',' });
        let name = serde_json::Value::from(name.as_str()).to_string();
        written.extend_from_slice(name.as_bytes());
        written.push(b':');
        written.extend_from_slice(value.get().as_bytes());
    }
    if written.is_empty() {
        written.push(b'{');
    }
    written.push(b'}');
    Ok(written)
}

/// The members of one JSON object in their order, including repeated names, with their values byte for
/// byte.
pub fn members(json: &[u8]) -> Result<Vec<(String, &RawValue)>, NotAnObject> {
    let Members(members) = serde_json::from_slice(json)
        .map_err(|error| NotAnObject { line: error.line(), column: error.column() })?;
    Ok(members)
}

/// When Twilio created the message, if the resource says so.
pub fn created_at(json: &[u8]) -> Option<Timestamp> {
    #[derive(serde::Deserialize)]
    struct Created {
        date_created: Option<String>,
    }
    let created = serde_json::from_slice::<Created>(json).ok()?.date_created?;
    date(&created)
}

/// Parses a date in RFC 2822, as the API writes it, or RFC 3339, as exports and command lines do.
pub fn date(text: &str) -> Option<Timestamp> {
    let rfc_2822 = OffsetDateTime::parse(text.trim(), &Rfc2822).ok().map(Timestamp::from);
    rfc_2822.or_else(|| Timestamp::parse(text.trim()))
}

/// The members of an object in their order; a map would let the last of two with one name win.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
