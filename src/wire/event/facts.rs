//! What an event reports of its message, which readers would otherwise parse from its body and URL.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{ErrorCode, Status, StatusReported};
use crate::wire::message::tag_values;

/// The facts that an event reports of its message; all empty if it reports none.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct EventFacts {
    /// The status, or an unrecognised word as received.
    pub status: Option<String>,
    /// The error code.
    pub error_code: Option<u32>,
    /// The sender.
    pub from: Option<String>,
    /// The recipient.
    pub to: Option<String>,
    /// Names and values from the query of the callback URL, and from a CloudEvent, in byte order.
    pub tags: BTreeMap<String, Vec<String>>,
    /// When Twilio says that it happened.
    pub occurred_at: Option<String>,
}

impl EventFacts {
    /// The facts in what was read from an event.
    pub fn new(reported: &StatusReported) -> Self {
        let StatusReported { status, unrecognised, error_code, addressed, tags, .. } = reported;
        let status = status.map(Status::name).or(unrecognised.as_deref());
        Self {
            status: status.map(str::to_owned),
            error_code: error_code.map(ErrorCode::number),
            occurred_at: reported.occurred_at().map(|at| at.to_string()),
            from: addressed.from.as_ref().map(ToString::to_string),
            to: addressed.to.as_ref().map(ToString::to_string),
            tags: tag_values(tags),
        }
    }
}
