//! The JSON that people and programs see. Domain types never serialise themselves,
//! so that neither storage nor rules can change a public shape unnoticed.

pub mod csv;
pub mod event;
pub mod filter;
pub mod mask;
pub mod message;
pub mod parameters;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

pub use event::{Event, HeaderValue};
pub use message::{Message, TimelineEntry};

/// Bytes as text where they are UTF-8, else as base64 under another name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Body(String),
    BodyBase64(String),
}

impl Body {
    /// Exactly these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Body::Body(text.to_owned()),
            Err(_) => Body::BodyBase64(STANDARD.encode(bytes)),
        }
    }
}
