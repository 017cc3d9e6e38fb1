//! The public formats: JSON of messages and events, filters and masking. Domain types do not serialise
//! themselves, so that a change of storage or rules cannot change a public format unnoticed.

pub mod csv;
pub mod event;
pub mod explanation;
pub mod filter;
pub mod forward;
mod links;
pub mod mask;
pub mod message;
pub mod message_page;
pub mod message_row;
pub mod message_texts;
pub mod number;
pub mod parameters;
pub mod status_name;
pub mod written_time;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

pub use event::shown::ShownEvent;
pub use event::{ErasedEvent, Event, HeaderValue, WholeEvent};
pub use links::{EntryLinks, MessageLinks};
pub use message::{Message, TimelineEntry};
pub use message_row::MessageRow;

/// Bytes as text if they are UTF-8, otherwise as base64 under another name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Text in UTF-8.
    Body(String),
    /// Any other bytes, in base64.
    BodyBase64(String),
}

impl Body {
    /// From exactly these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Body::Body(text.to_owned()),
            Err(_) => Body::BodyBase64(STANDARD.encode(bytes)),
        }
    }
}
