//! The JSON of an event, for `export events` and the API.

pub mod facts;
pub mod shown;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

use super::Body;
use crate::domain::RecordedEvent;
use crate::domain::event::Erased;
use crate::domain::hash::hex;

/// An event as exports and the API show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Event {
    /// An event with its content.
    Whole(Box<WholeEvent>),
    /// An event whose content was erased.
    Erased(ErasedEvent),
}

/// Every field of an event; the body byte for byte.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeEvent {
    /// The place in the log, from 1.
    pub position: u64,
    /// A UUID of version 7.
    pub event_id: String,
    /// When the request arrived, in UTC.
    pub received_at: String,
    /// `callback`, `send`, `reconcile`, `import` or `erasure`.
    pub source: &'static str,
    /// The method of the request; empty for an imported record of Twilio's.
    pub method: String,
    /// The public URL that was called, path and query byte for byte.
    pub url: String,
    /// Each a name and a value.
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    pub headers: Vec<(String, HeaderValue)>,
    /// The body as received.
    #[serde(flatten)]
    pub body: Body,
    /// The account that the body names.
    pub account_sid: Option<String>,
    /// The message that the event belongs to.
    pub message_sid: Option<String>,
    /// The name of the key that verified the signature; `null` if there was none.
    pub verified_by: Option<String>,
    /// Notes added by this program.
    pub notes: BTreeMap<String, String>,
    /// The salt under which the content is hashed, in hexadecimal digits. Missing if addresses are
    /// masked: with it, guesses of the digits could be tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub salt: Option<String>,
    /// Present, and true, if addresses are masked: the event then differs from what was received.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub masked: bool,
}

/// What remains of an event whose content was erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedEvent {
    /// The place in the log, from 1.
    pub position: u64,
    /// A UUID of version 7.
    pub event_id: String,
    /// When the request arrived, in UTC.
    pub received_at: String,
    /// `callback`, `send`, `reconcile` or `import`.
    pub source: &'static str,
    /// The name of the key that verified the signature; `null` if there was none.
    pub verified_by: Option<String>,
    /// The SHA-256 of account and message. Missing if addresses are masked, because a SID may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub message: Option<String>,
    /// The SHA-256 of the erased content, under the salt that was erased with it.
    pub content: String,
    /// The position of the event that records the erasure.
    pub erased_by: u64,
    /// Present, and true, if addresses are masked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub masked: bool,
}

/// A header's value: text, or base64 if it is not UTF-8.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum HeaderValue {
    /// A value in UTF-8.
    Text(String),
    /// Any other value.
    Bytes {
        /// The value in base64.
        base64: String,
    },
}

impl Event {
    /// The event, with the SIDs that were read from its body.
    pub fn new(
        event: RecordedEvent,
        account_sid: Option<String>,
        message_sid: Option<String>,
    ) -> Self {
        match event.erased {
            Some(erased) => Self::Erased(ErasedEvent::new(event, &erased)),
            None => Self::Whole(Box::new(WholeEvent::new(event, account_sid, message_sid))),
        }
    }

    /// The same, marked as masked, without the values by which guesses at the masked digits could be tested.
    pub fn into_masked(self) -> Self {
        match self {
            Self::Whole(event) => {
                Self::Whole(Box::new(WholeEvent { salt: None, masked: true, ..*event }))
            }
            Self::Erased(event) => {
                Self::Erased(ErasedEvent { message: None, masked: true, ..event })
            }
        }
    }
}

impl WholeEvent {
    fn new(event: RecordedEvent, account_sid: Option<String>, message_sid: Option<String>) -> Self {
        let headers = event.headers.iter();
        Self {
            position: event.position,
            event_id: event.event_id.to_string(),
            received_at: event.received_at.to_string(),
            source: event.source.name(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), HeaderValue::new(value)))
                .collect(),
            body: Body::new(&event.body),
            account_sid,
            message_sid,
            salt: Some(hex(event.salt.as_bytes())),
            method: event.event.method,
            url: event.event.url,
            verified_by: event.event.verified_by,
            notes: event.event.notes,
            masked: false,
        }
    }
}

impl ErasedEvent {
    fn new(event: RecordedEvent, erased: &Erased) -> Self {
        Self {
            position: event.position,
            event_id: event.event_id.to_string(),
            received_at: event.received_at.to_string(),
            source: event.source.name(),
            verified_by: event.event.verified_by,
            message: Some(hex(&erased.message)),
            content: hex(&erased.content),
            erased_by: erased.erased_by,
            masked: false,
        }
    }
}

impl HeaderValue {
    /// From exactly these bytes.
    pub fn new(value: &[u8]) -> Self {
        match std::str::from_utf8(value) {
            Ok(text) => HeaderValue::Text(text.to_owned()),
            Err(_) => HeaderValue::Bytes { base64: STANDARD.encode(value) },
        }
    }
}
