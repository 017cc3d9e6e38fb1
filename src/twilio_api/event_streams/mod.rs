//! Client of Event Streams: lists and creates sinks and subscriptions, and adds event types to them
//! (<https://www.twilio.com/docs/events/event-streams>).
//!
//! The API has a host of its own, and its lists continue at absolute URLs.

mod event_type;
mod resources;

use form_urlencoded::Serializer;
use serde::de::DeserializeOwned;
use serde_json::json;

pub use self::event_type::{EventType, LEDGER_EVENT_TYPES};
use self::resources::{List, Meta};
pub use self::resources::{Sink, SinkStatus, SubscribedEvent, Subscription, Webhook};
use super::messages::in_path;
use super::page::next_path;
use super::{ApiError, ApiResponse, Client, Credentials, PageError, RequestError};

/// The host that pages may name, even if a region's host was asked. Only their path is used.
const HOST: &str = "https://events.twilio.com";

const SINKS: &str = "/v1/Sinks";
const SUBSCRIPTIONS: &str = "/v1/Subscriptions";

/// The number of resources on a page: the maximum that Twilio allows.
const PAGE_SIZE: &str = "PageSize=1000";

/// A failed request to Event Streams. No error repeats an answer, which may contain secrets of sinks.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum EventStreamsError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("Twilio answered `{request}` with {refusal}")]
    Refused { request: String, refusal: ApiError },
    #[error(
        "Twilio's answer to `{request}` is not of the documented form (line {line}, column {column})"
    )]
    NotAsDocumented { request: String, line: usize, column: usize },
    #[error(transparent)]
    Page(#[from] PageError),
}

/// The Event Streams of one account.
#[derive(Clone, Copy)]
pub struct EventStreams<'a> {
    client: &'a Client,
    who: &'a Credentials,
}

impl<'a> EventStreams<'a> {
    /// Those of the account with these credentials; the client's base URL is that of Event Streams.
    pub fn new(client: &'a Client, who: &'a Credentials) -> Self {
        Self { client, who }
    }

    /// Every sink, of all kinds.
    pub fn sinks(&self) -> Result<Vec<Sink>, EventStreamsError> {
        self.list(SINKS)
    }

    /// Every subscription.
    pub fn subscriptions(&self) -> Result<Vec<Subscription>, EventStreamsError> {
        self.list(SUBSCRIPTIONS)
    }

    /// The event types of a subscription.
    pub fn subscribed_events(&self, sid: &str) -> Result<Vec<SubscribedEvent>, EventStreamsError> {
        self.list(&subscribed_events_path(sid))
    }

    /// Creates a sink that POSTs to this URL, several events in one request.
    pub fn create_sink(
        &self,
        destination: &str,
        description: &str,
    ) -> Result<Sink, EventStreamsError> {
        let configuration =
            json!({ "destination": destination, "method": "POST", "batch_events": true });
        let form = [
            ("Description", description.to_owned()),
            ("SinkConfiguration", configuration.to_string()),
            ("SinkType", "webhook".to_owned()),
        ];
        self.post(SINKS, &form)
    }

    /// Creates a subscription of these event types; `subaccounts` is whether it includes the events of
    /// the account's subaccounts.
    pub fn create_subscription(
        &self,
        sink_sid: &str,
        description: &str,
        types: &[EventType],
        subaccounts: bool,
    ) -> Result<Subscription, EventStreamsError> {
        let mut form =
            vec![("Description", description.to_owned()), ("SinkSid", sink_sid.to_owned())];
        form.extend(types.iter().map(|event_type| ("Types", event_type.as_json().to_string())));
        if subaccounts {
            form.push(from_subaccounts());
        }
        self.post(SUBSCRIPTIONS, &form)
    }

    /// Makes a subscription include the events of the account's subaccounts.
    pub fn include_subaccounts(&self, sid: &str) -> Result<Subscription, EventStreamsError> {
        let path = format!("{SUBSCRIPTIONS}/{}", in_path(sid));
        self.post(&path, &[from_subaccounts()])
    }

    /// Adds an event type to a subscription.
    pub fn subscribe(
        &self,
        subscription_sid: &str,
        event_type: &EventType,
    ) -> Result<SubscribedEvent, EventStreamsError> {
        let form = [
            ("Type", event_type.name.to_owned()),
            ("SchemaVersion", event_type.schema_version.to_string()),
        ];
        self.post(&subscribed_events_path(subscription_sid), &form)
    }

    fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, EventStreamsError> {
        let mut items = Vec::new();
        let mut next = Some(format!("{path}?{PAGE_SIZE}"));
        while let Some(page) = next {
            let answer = self.client.get(self.who, &page)?;
            let List { items: more, meta } = parse(&answer, format!("GET {path}"))?;
            items.extend(more);
            next = self.next(meta)?;
        }
        Ok(items)
    }

    /// The path of the next page. It is requested from the host of this client, whatever host it names.
    fn next(&self, meta: Meta) -> Result<Option<String>, PageError> {
        let own_path = |url: String| url.strip_prefix(HOST).map(str::to_owned).unwrap_or(url);
        next_path(meta.next_page_url.map(own_path), &self.client.url(""))
    }

    fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, String)],
    ) -> Result<T, EventStreamsError> {
        let form = Serializer::new(String::new()).extend_pairs(form).finish();
        let answer = self.client.post(self.who, path, form.as_bytes())?;
        parse(&answer, format!("POST {path}"))
    }
}

fn from_subaccounts() -> (&'static str, String) {
    ("ReceiveEventsFromSubaccounts", "true".to_owned())
}

fn subscribed_events_path(subscription_sid: &str) -> String {
    format!("{SUBSCRIPTIONS}/{}/SubscribedEvents", in_path(subscription_sid))
}

fn parse<T: DeserializeOwned>(
    answer: &ApiResponse,
    request: String,
) -> Result<T, EventStreamsError> {
    if !(200..300).contains(&answer.status_code) {
        let refusal = ApiError::from_response(answer);
        return Err(EventStreamsError::Refused { request, refusal });
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        // The parser's text may quote a value.
        let (line, column) = (error.line(), error.column());
        EventStreamsError::NotAsDocumented { request, line, column }
    })
}
