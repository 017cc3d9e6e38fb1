//! An event of a bundle, and the proof that it is in the log.

use std::collections::BTreeMap;

use base64::Engine;
use serde_json::{Value, json};
use uuid::Uuid;

use super::members::Members;
use crate::domain::digest::{Digester, Sids};
use crate::domain::event::{Erased, Headers, Salt};
use crate::domain::hash::Hash;
use crate::domain::tree::leaf_hash;
use crate::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use crate::seal::note::key::STRICT_BASE64;
use crate::twilio::event_sids::EventSids;
use crate::wire;

/// An event, and what is needed to find it in the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleEvent {
    /// The event, whole or erased.
    pub event: RecordedEvent,
    /// The account that the bundle says its body names.
    pub account_sid: Option<String>,
    /// The message that the bundle says its body names.
    pub message_sid: Option<String>,
    /// The hashes from the leaf's sibling up, in base64.
    pub proof: Vec<String>,
}

/// Why a value is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventError {
    /// A member is missing, unknown or of the wrong type.
    Format(String),
    /// Its members have the right types, but no event of a log has such values.
    Value(String),
}

impl From<String> for EventError {
    fn from(detail: String) -> Self {
        Self::Format(detail)
    }
}

impl BundleEvent {
    /// An event of a ledger with its proof.
    pub fn new(event: RecordedEvent, proof: &[Hash]) -> Self {
        let sids = EventSids::parse(&event);
        let owned = |sid: &Option<std::borrow::Cow<'_, str>>| sid.as_deref().map(str::to_owned);
        let (account_sid, message_sid) = (owned(&sids.account_sid), owned(&sids.message_sid));
        let proof = proof.iter().map(|hash| STRICT_BASE64.encode(hash)).collect();
        Self { event, account_sid, message_sid, proof }
    }

    /// The JSON of the event with its proof.
    pub fn to_json(&self) -> Value {
        let (account, message) = (self.account_sid.clone(), self.message_sid.clone());
        let event = wire::Event::new(self.event.clone(), account, message);
        let mut json = serde_json::to_value(event).expect("an event is JSON");
        json["proof"] = json!(self.proof);
        json
    }

    /// Reads an event.
    pub fn parse(value: &Value) -> Result<Self, EventError> {
        let mut members = Members::of(value, "an event")?;
        let parsed = match members.has("erased_by") {
            true => erased(&mut members)?,
            false => whole(&mut members)?,
        };
        members.finish()?;
        Ok(parsed)
    }

    /// The digest of the event: the hash of its leaf.
    pub fn digest(&self) -> Hash {
        leaf_hash(&Digester::default().entry(&self.event, self.sids()))
    }

    /// The hash of its account and message.
    pub fn message_hash(&self) -> Hash {
        match self.event.erased {
            Some(erased) => erased.message,
            None => Digester::default().message(self.sids()),
        }
    }

    /// Whether the body names the account and the message that the bundle says.
    pub fn names_what_it_says(&self) -> bool {
        let read = EventSids::parse(&self.event);
        self.event.erased.is_some() || read.as_sids() == self.sids()
    }

    fn sids(&self) -> Sids<'_> {
        Sids { account_sid: self.account_sid.as_deref(), message_sid: self.message_sid.as_deref() }
    }
}

fn whole(members: &mut Members<'_>) -> Result<BundleEvent, EventError> {
    let position = members.position("position")?;
    let event = NewEvent {
        event_id: event_id(members)?,
        received_at: received_at(members)?,
        source: source(members)?,
        method: members.text("method")?.to_owned(),
        url: members.text("url")?.to_owned(),
        headers: headers(members.list("headers")?)?,
        body: body(members)?,
        verified_by: members.optional_text("verified_by")?.map(str::to_owned),
        notes: notes(members.value("notes")?)?,
        salt: Salt::from_bytes(hex_bytes(members, "salt")?),
    };
    Ok(BundleEvent {
        event: RecordedEvent { position, event, erased: None },
        account_sid: members.optional_text("account_sid")?.map(str::to_owned),
        message_sid: members.optional_text("message_sid")?.map(str::to_owned),
        proof: members.texts("proof")?,
    })
}

fn erased(members: &mut Members<'_>) -> Result<BundleEvent, EventError> {
    let position = members.position("position")?;
    let event = NewEvent {
        event_id: event_id(members)?,
        received_at: received_at(members)?,
        source: source(members)?,
        method: String::new(),
        url: String::new(),
        headers: Headers::default(),
        body: Vec::new(),
        verified_by: members.optional_text("verified_by")?.map(str::to_owned),
        notes: BTreeMap::new(),
        salt: Salt::from_bytes([0; Salt::BYTES]),
    };
    let erased = Erased {
        message: hex_bytes(members, "message")?,
        content: hex_bytes(members, "content")?,
        erased_by: members.position("erased_by")?,
    };
    Ok(BundleEvent {
        event: RecordedEvent { position, event, erased: Some(erased) },
        account_sid: None,
        message_sid: None,
        proof: members.texts("proof")?,
    })
}

fn event_id(members: &mut Members<'_>) -> Result<Uuid, EventError> {
    let text = members.text("event_id")?;
    // Any other form is another text for the same event.
    let id = Uuid::parse_str(text).ok().filter(|id| id.to_string() == text);
    id.ok_or_else(|| {
        EventError::Value("`event_id` is not a UUID in lower case with hyphens".to_owned())
    })
}

fn received_at(members: &mut Members<'_>) -> Result<Timestamp, EventError> {
    let text = members.text("received_at")?;
    let at = Timestamp::parse(text).filter(|at| at.to_string() == text);
    at.ok_or_else(|| {
        let text = "`received_at` is not RFC 3339 in UTC with six fractional digits and Z";
        EventError::Value(text.to_owned())
    })
}

fn source(members: &mut Members<'_>) -> Result<Source, EventError> {
    let source = Source::parse(members.text("source")?);
    source.ok_or_else(|| EventError::Value("`source` is none that a log has".to_owned()))
}

fn headers(list: &[Value]) -> Result<Headers, EventError> {
    let wrong = || EventError::Format("`headers` is not a list of [name, value]".to_owned());
    let mut given = Vec::with_capacity(list.len());
    for header in list {
        let [Value::String(name), value] = &header.as_array().ok_or_else(wrong)?[..] else {
            return Err(wrong());
        };
        let value = match value {
            Value::String(text) => text.clone().into_bytes(),
            value => {
                let mut members = Members::of(value, "the value of a header")?;
                let bytes = decoded(members.text("base64")?, "the value of a header")?;
                members.finish()?;
                bytes
            }
        };
        given.push((name.clone(), value));
    }
    let headers = Headers::new(given.iter().cloned());
    let as_given = headers.iter().zip(&given).all(|(a, b)| a == (b.0.as_str(), &b.1[..]));
    let unsorted = || "`headers` are not in lower case and sorted by name".to_owned();
    as_given.then_some(headers).ok_or_else(|| EventError::Value(unsorted()))
}

fn body(members: &mut Members<'_>) -> Result<Vec<u8>, EventError> {
    match members.has("body_base64") {
        true => decoded(members.text("body_base64")?, "`body_base64`"),
        false => Ok(members.text("body")?.as_bytes().to_vec()),
    }
}

fn notes(value: &Value) -> Result<BTreeMap<String, String>, EventError> {
    let wrong = || EventError::Format("`notes` is not an object of texts".to_owned());
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    value.as_object().ok_or_else(wrong)?.iter().map(text).collect::<Option<_>>().ok_or_else(wrong)
}

fn decoded(base64: &str, what: &str) -> Result<Vec<u8>, EventError> {
    let bytes = STRICT_BASE64.decode(base64);
    bytes.map_err(|_| EventError::Value(format!("{what} is not base64, padded and canonical")))
}

/// Bytes in hexadecimal digits of lower case.
fn hex_bytes<const N: usize>(
    members: &mut Members<'_>,
    name: &'static str,
) -> Result<[u8; N], EventError> {
    let text = members.text(name)?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let mut bytes = [0; N];
    let parse = || {
        (text.len() == 2 * N && text.bytes().all(is_digit)).then_some(())?;
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
        }
        Some(bytes)
    };
    let mut parse = parse;
    parse().ok_or_else(|| {
        EventError::Value(format!("`{name}` is not {} hexadecimal digits in lower case", 2 * N))
    })
}
