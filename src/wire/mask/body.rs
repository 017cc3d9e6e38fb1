//! Masks bodies: forms in place, JSON value by value.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::Value;

use super::chars::{Coding, decode, peeled};
use super::known_forms::Form;
use super::secrets;
use super::text::{Known, Part, Rule, masked_parts};
use crate::domain::BodyKind;

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Form,
    Json,
    /// Unknown: nothing of it can be shown.
    Opaque,
}

/// Parameters that contain an address, in lower case and without `_` and `-`.
const ADDRESSES: [&str; 12] = [
    "from",
    "to",
    "waid",
    "author",
    "caller",
    "called",
    "recipient",
    "sender",
    "address",
    "phone",
    "phonenumber",
    "externaluserid",
];

/// Parameters that contain a person's name.
const NAMES: [&str; 4] = ["profilename", "callername", "friendlyname", "username"];

/// Replaces a body that cannot be shown in part.
const HIDDEN: &[u8] = b"*";

impl Kind {
    /// From how events are read.
    pub fn of(kind: Option<BodyKind>) -> Self {
        match kind {
            Some(BodyKind::Form) => Kind::Form,
            Some(BodyKind::Json) => Kind::Json,
            None => Kind::Opaque,
        }
    }

    /// The addresses in a body.
    pub fn addresses(self, body: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Kind::Form => addresses_of_form(body),
            Kind::Json => {
                let mut found = Vec::new();
                serde_json::from_slice(body).iter().for_each(|value| gather(value, &mut found));
                found.into_iter().map(String::into_bytes).collect()
            }
            Kind::Opaque => Vec::new(),
        }
    }

    /// Masks the addresses in a body, including those known from elsewhere in the event.
    pub fn masked(self, body: &[u8], known: &Known) -> Vec<u8> {
        match self {
            _ if body.is_empty() => Vec::new(),
            // What is JSON under another name is read as JSON, so that its names count.
            Kind::Form => nested(body, known).map_or_else(|| form(body, known), String::into_bytes),
            Kind::Json => match serde_json::from_slice(body) {
                Ok(value) => json(value, known).to_string().into_bytes(),
                Err(_) => HIDDEN.into(),
            },
            Kind::Opaque => HIDDEN.into(),
        }
    }
}

/// The addresses in the parameters of a form.
pub fn addresses_of_form(form: &[u8]) -> Vec<Vec<u8>> {
    let addresses = pieces(form).filter(|(name, _)| rule(name) == Rule::Address);
    addresses.filter_map(|(_, value)| value.map(decode)).collect()
}

/// Masks a form. Everything but addresses keeps its bytes.
pub fn form(form: &[u8], known: &Known) -> Vec<u8> {
    joined(form, &masked_parts(&parts(form, known), known))
}

/// The names and values of a form, in their order.
pub fn parts<'a>(form: &'a [u8], known: &Known) -> Vec<Part<'a>> {
    let parts = pieces(form).flat_map(|(name, value)| {
        let value = value.map(|value| self::value(value, rule(name), known));
        [Some(Part::encoded(name, Rule::Text)), value]
    });
    parts.flatten().collect()
}

/// Replaces the parts of a form with the masked ones.
pub fn joined(form: &[u8], masked: &[Vec<u8>]) -> Vec<u8> {
    let mut masked = masked.iter();
    let mut next = || masked.next().map_or(HIDDEN, Vec::as_slice);
    let piece = |(_, value): (&[u8], Option<&[u8]>)| match value {
        Some(_) => [next(), b"=", next()].concat(),
        None => next().to_vec(),
    };
    pieces(form).map(piece).collect::<Vec<_>>().join(&b'&')
}

/// The rule for the value of a name.
pub fn rule_of(name: &str) -> Rule {
    let name = name.replace(['_', '-'], "").to_ascii_lowercase();
    match &*name {
        name if ADDRESSES.contains(&name) => Rule::Address,
        name if NAMES.contains(&name) => Rule::Name,
        name if secrets::is_name(name) => Rule::Secret,
        "rawdlrdonedate" => Rule::Fixed(Form::Minute),
        "errorcode" => Rule::Fixed(Form::ErrorCode),
        name if name.ends_with("sid") => Rule::Fixed(Form::Sid),
        _ => Rule::Text,
    }
}

/// The same for the name of a form's parameter, however often it is escaped.
fn rule(encoded_name: &[u8]) -> Rule {
    let name = peeled(encoded_name, Coding::Encoded);
    rule_of(&name.iter().map(|unit| unit.char).collect::<String>())
}

/// The value of a form's parameter, which may be JSON, such as that of ChannelMetadata.
fn value<'a>(encoded: &'a [u8], rule: Rule, known: &Known) -> Part<'a> {
    let json = nested(&decode(encoded), known);
    let encoded = json.map_or(Cow::Borrowed(encoded), |json| {
        percent_encode(json.as_bytes(), NON_ALPHANUMERIC).to_string().into_bytes().into()
    });
    Part::encoded(encoded, rule)
}

/// Masks JSON inside a text; `None` if nothing in it is masked.
fn nested(text: &[u8], known: &Known) -> Option<String> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace())?;
    let value =
        [b'{', b'['].contains(first).then(|| serde_json::from_slice::<Value>(text).ok())??;
    let masked = json(value.clone(), known);
    (masked != value).then(|| masked.to_string())
}

/// The raw names and values of a form, including empty ones.
fn pieces(form: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    form.split(|byte| *byte == b'&').map(|piece| {
        match piece.iter().position(|byte| *byte == b'=') {
            Some(at) => (&piece[..at], Some(&piece[at + 1..])),
            None => (piece, None),
        }
    })
}

/// Masks JSON, with all its names, texts and numbers as consecutive parts.
fn json(value: Value, known: &Known) -> Value {
    let mut leaves = Vec::new();
    collect(&value, Rule::Text, known, &mut leaves);
    let parts: Vec<_> =
        leaves.iter().map(|(text, rule)| Part::plain(text.as_bytes(), *rule)).collect();
    let masked = masked_parts(&parts, known);
    let mut masked = masked.into_iter().map(|text| String::from_utf8_lossy(&text).into_owned());
    replaced(value, &mut masked)
}

fn collect(value: &Value, rule: Rule, known: &Known, leaves: &mut Vec<(String, Rule)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                leaves.push((name.clone(), Rule::Text));
                collect(value, rule_of(name), known, leaves);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, rule, known, leaves)),
        Value::String(text) => {
            leaves.push((nested(text.as_bytes(), known).unwrap_or_else(|| text.clone()), rule));
        }
        Value::Number(number) => leaves.push((number.to_string(), rule)),
        Value::Bool(_) | Value::Null => {}
    }
}

/// The same value with other texts as its leaves, in the order of `collect`.
fn replaced(value: Value, leaves: &mut impl Iterator<Item = String>) -> Value {
    let mut next = || leaves.next().unwrap_or_else(|| "*".to_owned());
    match value {
        Value::Object(fields) => {
            let mut masked = serde_json::Map::with_capacity(fields.len());
            for (_, value) in fields {
                let name = leaves.next().unwrap_or_else(|| "*".to_owned());
                masked.insert(name, replaced(value, leaves));
            }
            Value::Object(masked)
        }
        Value::Array(items) => items.into_iter().map(|item| replaced(item, leaves)).collect(),
        Value::String(_) => Value::String(next()),
        Value::Number(number) => match next() {
            same if same == number.to_string() => Value::Number(number),
            hidden => Value::String(hidden),
        },
        other => other,
    }
}

fn gather(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (rule_of(name), value) {
                    (Rule::Address, Value::String(text)) => found.push(text.clone()),
                    (Rule::Address, Value::Number(number)) => found.push(number.to_string()),
                    (_, value) => gather(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        _ => {}
    }
}
