//! The JSON of an event, for `export events` and the API.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

use super::Body;
use crate::domain::RecordedEvent;

/// Every field of an event; the body byte for byte.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    pub position: u64,
    pub event_id: String,
    pub received_at: String,
    pub source: &'static str,
    pub method: String,
    pub url: String,
    /// Each a name and a value.
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    pub headers: Vec<(String, HeaderValue)>,
    #[serde(flatten)]
    pub body: Body,
    pub account_sid: Option<String>,
    pub message_sid: Option<String>,
    pub verified_by: Option<String>,
    pub notes: BTreeMap<String, String>,
    /// Present, and true, if addresses are masked: the event then differs from what was received.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub masked: bool,
}

/// A header's value: text, or base64 if it is not UTF-8.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum HeaderValue {
    Text(String),
    Bytes { base64: String },
}

impl Event {
    /// The event, with the SIDs that were read from its body.
    pub fn new(
        event: RecordedEvent,
        account_sid: Option<String>,
        message_sid: Option<String>,
    ) -> Self {
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
            method: event.event.method,
            url: event.event.url,
            verified_by: event.event.verified_by,
            notes: event.event.notes,
            masked: false,
        }
    }

    /// The same, marked as masked or not.
    pub fn masked(self, masked: bool) -> Self {
        Self { masked, ..self }
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
