//! The resources of Event Streams, without what is secret in them: sinks of other kinds have keys in their
//! configuration, and the URL of a webhook may have a password.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A sink: where events are sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "SinkBody")]
pub struct Sink {
    /// Its SID, which begins with DG.
    pub sid: String,
    /// Whether Twilio sends to it.
    pub status: SinkStatus,
    /// `None` if it is no webhook.
    pub webhook: Option<Webhook>,
}

/// Where a sink of the type `webhook` sends events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The URL, without user name and password.
    pub destination: String,
    /// The HTTP method; Twilio's default if none is given is `POST`.
    pub method: String,
}

/// The status of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkStatus {
    /// It was created, and is to be validated.
    Initialized,
    /// A test event was sent to it.
    Validating,
    /// Twilio sends events to it.
    Active,
    /// Twilio does not send events to it.
    Failed,
    /// One that Twilio did not document when this was written.
    #[default]
    #[serde(other)]
    Other,
}

/// A subscription: which event types are sent to a sink.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Subscription {
    /// Its SID, which begins with DF.
    pub sid: String,
    /// The sink's SID.
    pub sink_sid: String,
    /// Whether it includes the events of the account's subaccounts; `None` if Twilio does not say.
    #[serde(default)]
    pub receive_events_from_subaccounts: Option<bool>,
}

/// An event type of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscribedEvent {
    /// The name of the type.
    #[serde(rename = "type")]
    pub name: String,
    /// The version of its schema.
    #[serde(default)]
    pub schema_version: u32,
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct List<T> {
    #[serde(rename = "sinks", alias = "subscriptions", alias = "types")]
    pub items: Vec<T>,
    pub meta: Meta,
}

/// What follows a page.
#[derive(Deserialize)]
pub(super) struct Meta {
    pub next_page_url: Option<String>,
}

#[derive(Deserialize)]
struct SinkBody {
    sid: String,
    status: Option<SinkStatus>,
    sink_type: Option<String>,
    #[serde(default)]
    sink_configuration: Value,
}

impl From<SinkBody> for Sink {
    fn from(body: SinkBody) -> Self {
        let text = |name: &str| body.sink_configuration.get(name)?.as_str();
        let is_webhook = body.sink_type.as_deref() == Some("webhook");
        let webhook = text("destination").filter(|_| is_webhook).map(|destination| Webhook {
            destination: without_user(destination),
            method: text("method").unwrap_or("POST").to_ascii_uppercase(),
        });
        Self { sid: body.sid, status: body.status.unwrap_or_default(), webhook }
    }
}

impl SinkStatus {
    /// Twilio's name of it.
    pub fn name(self) -> &'static str {
        match self {
            SinkStatus::Initialized => "initialized",
            SinkStatus::Validating => "validating",
            SinkStatus::Active => "active",
            SinkStatus::Failed => "failed",
            SinkStatus::Other => "other",
        }
    }
}

impl fmt::Display for SinkStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A URL without user name and password.
fn without_user(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    let (scheme, rest) = url.split_at(start);
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}{}", &rest[host..])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Sink, SinkStatus};

    fn sink(json: serde_json::Value) -> Sink {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_sink_has_neither_a_password_nor_the_keys_of_another_kind_of_sink() {
        let webhook = sink(json!({
            "sid": "DG1", "status": "active", "sink_type": "webhook",
            "sink_configuration": {
                "destination": "https://user:pass@hooks.example.com/a@b", "method": "post",
            },
        }));
        let shown = format!("{webhook:?}");
        assert!(shown.contains("https://hooks.example.com/a@b") && !shown.contains("pass"));
        assert_eq!(webhook.webhook.unwrap().method, "POST");
        let kinesis = sink(json!({
            "sid": "DG2", "status": "resting", "sink_type": "kinesis",
            "sink_configuration": { "arn": "arn:aws", "external_id": "secret" },
        }));
        assert_eq!(
            kinesis,
            Sink { sid: "DG2".to_owned(), status: SinkStatus::Other, webhook: None }
        );
    }
}
