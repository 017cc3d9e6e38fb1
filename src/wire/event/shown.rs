//! An event as exports and the API show it: as it was received, with what it reports of its message.

use serde::Serialize;
use utoipa::ToSchema;

use super::Event;
use super::facts::EventFacts;
use crate::domain::{RecordedEvent, StatusReported};
use crate::wire::mask;

/// An event, and what it reports of its message unless it was erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownEvent {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// The facts that it reports; `None` if its content was erased.
    #[serde(flatten)]
    pub facts: Option<EventFacts>,
}

impl ShownEvent {
    /// An event with what was read from it. Masked, it shows the last four digits of addresses only.
    pub fn new(
        event: RecordedEvent,
        account_sid: Option<String>,
        message_sid: Option<String>,
        reported: Option<&StatusReported>,
        masked: bool,
    ) -> Self {
        let facts = || reported.map(EventFacts::new).unwrap_or_default();
        let facts = event.erased.is_none().then(facts);
        match masked {
            true => Self {
                event: mask::recorded(event, account_sid, message_sid),
                facts: facts.map(mask::facts),
            },
            false => Self { event: Event::new(event, account_sid, message_sid), facts },
        }
    }
}
