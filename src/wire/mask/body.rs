//! A body with its addresses hidden: a form where it stands, JSON value by value.

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::Value;

use super::text::{Known, Rule, decode, masked, masked_encoded};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Form,
    Json,
    /// Nobody knows what stands in it, or where.
    Opaque,
}

/// Parameters that hold an address, in lower case and without `_`.
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

/// Parameters that hold a person's name.
const NAMES: [&str; 4] = ["profilename", "callername", "friendlyname", "username"];

/// Parameters that look like a number and are none.
const FIXED: [&str; 3] = ["rawdlrdonedate", "apiversion", "errorcode"];

/// What stands where nothing can be shown in part.
const HIDDEN: &str = "*";

impl Kind {
    /// The kind a media type stands for, as events are read.
    pub fn of(media_type: Option<&str>) -> Self {
        match media_type {
            None | Some("application/x-www-form-urlencoded") => Kind::Form,
            Some("application/json") => Kind::Json,
            Some(other) if other.ends_with("+json") => Kind::Json,
            Some(_) => Kind::Opaque,
        }
    }

    /// The addresses that a body names.
    pub fn addresses(self, body: &[u8]) -> Known {
        match self {
            Kind::Form => {
                let values = pieces(body).filter(|(name, _)| rule(name) == Rule::Address);
                let values: Vec<_> = values.filter_map(|(_, value)| value.map(decode)).collect();
                Known::of(values.iter().map(Vec::as_slice))
            }
            Kind::Json => {
                let mut found = Vec::new();
                serde_json::from_slice(body).iter().for_each(|value| gather(value, &mut found));
                Known::of(found.iter().map(String::as_bytes))
            }
            Kind::Opaque => Known::default(),
        }
    }

    /// The body without the addresses in it, those that are known among them.
    pub fn masked(self, body: &[u8], known: &Known) -> Vec<u8> {
        match (self, serde_json::from_slice::<Value>(body)) {
            (Kind::Form, _) => form(body, known),
            (Kind::Json, Ok(mut value)) => {
                hide(&mut value, Rule::Text, known);
                value.to_string().into_bytes()
            }
            _ if body.is_empty() => Vec::new(),
            _ => HIDDEN.into(),
        }
    }
}

/// A form; what is no address keeps its bytes.
pub fn form(form: &[u8], known: &Known) -> Vec<u8> {
    let piece = |(name, value): (&[u8], Option<&[u8]>)| {
        let shown = masked_encoded(name, Rule::Text, known);
        match value.map(|value| self::value(value, rule(name), known)) {
            Some(value) => [&*shown, b"=", &value].concat(),
            None => shown,
        }
    };
    pieces(form).map(piece).collect::<Vec<_>>().join(&b'&')
}

/// A form's value, which may be JSON of its own, as ChannelMetadata is.
fn value(encoded: &[u8], rule: Rule, known: &Known) -> Vec<u8> {
    match nested(&decode(encoded), known) {
        Some(json) => percent_encode(json.as_bytes(), NON_ALPHANUMERIC).to_string().into_bytes(),
        None => masked_encoded(encoded, rule, known),
    }
}

/// JSON that stands in a text, where something in it is hidden.
fn nested(text: &[u8], known: &Known) -> Option<String> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace())?;
    let value =
        [b'{', b'['].contains(first).then(|| serde_json::from_slice::<Value>(text).ok())??;
    let mut masked = value.clone();
    hide(&mut masked, Rule::Text, known);
    (masked != value).then(|| masked.to_string())
}

/// Names and values as they stand in a form, empty pieces included.
fn pieces(form: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    form.split(|byte| *byte == b'&').map(|piece| {
        match piece.iter().position(|byte| *byte == b'=') {
            Some(at) => (&piece[..at], Some(&piece[at + 1..])),
            None => (piece, None),
        }
    })
}

/// How the value under a name is judged.
fn rule(encoded_name: &[u8]) -> Rule {
    rule_of(&String::from_utf8_lossy(&decode(encoded_name)))
}

fn rule_of(name: &str) -> Rule {
    let name = name.replace('_', "").to_ascii_lowercase();
    match &*name {
        name if ADDRESSES.contains(&name) => Rule::Address,
        name if NAMES.contains(&name) => Rule::Name,
        name if FIXED.contains(&name) || name.ends_with("sid") => Rule::Fixed,
        _ => Rule::Text,
    }
}

fn hide(value: &mut Value, rule: Rule, known: &Known) {
    match value {
        Value::Object(fields) => {
            let masked = std::mem::take(fields).into_iter().map(|(name, mut value)| {
                hide(&mut value, rule_of(&name), known);
                (masked(&name, Rule::Text, known), value)
            });
            *fields = masked.collect();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, rule, known)),
        Value::String(text) => {
            *text = nested(text.as_bytes(), known).unwrap_or_else(|| masked(text, rule, known));
        }
        Value::Number(number) => {
            let (shown, hidden) = (number.to_string(), masked(&number.to_string(), rule, known));
            if shown != hidden {
                *value = Value::String(hidden);
            }
        }
        Value::Bool(_) | Value::Null => {}
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
