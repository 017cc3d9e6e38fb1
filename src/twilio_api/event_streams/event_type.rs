//! The types of events that a ledger makes use of, with the version of their schema.

use serde_json::{Value, json};

/// A type of events, in one version of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// Its name.
    pub name: &'static str,
    /// The version of its schema.
    pub schema_version: u32,
}

/// Every type that a ledger makes use of: the statuses of outbound messages, clicks on shortened links, and
/// errors that Twilio logged. The versions are the newest documented ones
/// (<https://www.twilio.com/docs/events/event-types-overview>).
pub const LEDGER_EVENT_TYPES: [EventType; 8] = [
    status("com.twilio.messaging.message.queued"),
    status("com.twilio.messaging.message.sent"),
    status("com.twilio.messaging.message.delivered"),
    status("com.twilio.messaging.message.undelivered"),
    status("com.twilio.messaging.message.failed"),
    status("com.twilio.messaging.message.read"),
    EventType { name: "com.twilio.daptbt.link-shortening.link-clicked", schema_version: 3 },
    EventType { name: "com.twilio.error-logs.error.logged", schema_version: 2 },
];

/// A status of an outbound message: all of them have one schema, `Messaging.MessageStatus`.
const fn status(name: &'static str) -> EventType {
    EventType { name, schema_version: 8 }
}

impl EventType {
    /// The JSON that a subscription names it by.
    pub fn as_json(&self) -> Value {
        json!({ "type": self.name, "schema_version": self.schema_version })
    }
}
