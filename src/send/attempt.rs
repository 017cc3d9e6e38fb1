//! One attempt to have Twilio do something: the event before the request, the request, and the event
//! after it.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use uuid::Uuid;

use super::note;
use super::request::{Request, SendKind};
use crate::domain::event::Headers;
use crate::domain::{NewEvent, Source, Timestamp};
use crate::store::new_salt;
use crate::twilio::form::MEDIA_TYPE;
use crate::twilio::resource::without_text;
use crate::twilio_api::{ApiResponse, Client, Credentials, RequestError};

/// A request about to be made.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Connects the intent in the log with its outcome.
    pub send_id: Uuid,
    request: Request,
    url: String,
}

impl Attempt {
    /// An attempt with an id of its own.
    pub fn new(client: &Client, request: Request) -> Self {
        Self { send_id: Uuid::now_v7(), url: client.url(&request.path), request }
    }

    /// Adds notes to its intent.
    pub fn with_notes(mut self, notes: impl IntoIterator<Item = (String, String)>) -> Self {
        self.request.notes.extend(notes);
        self
    }

    /// What it asks of Twilio.
    pub fn kind(&self) -> SendKind {
        self.request.kind
    }

    /// The URL of the request.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The event to be logged before the request is sent.
    pub fn intent(&self) -> NewEvent {
        let Request { form, form_without_text, notes, .. } = &self.request;
        let body = form_without_text.as_ref().unwrap_or(form);
        let notes = self.notes("intent", form_without_text.is_some()).chain(notes.clone());
        self.event(headers(MEDIA_TYPE), body.clone(), notes.collect())
    }

    /// Sends the request. It is only retried if Twilio reports that it did not accept it.
    pub fn send(&self, client: &Client, who: &Credentials) -> Result<ApiResponse, RequestError> {
        client.post(who, &self.request.path, &self.request.form)
    }

    /// The event with the outcome, to be logged after the request.
    pub fn answer(&self, outcome: &Result<ApiResponse, RequestError>) -> NewEvent {
        match outcome {
            Ok(answer) => {
                let kept = match self.request.keep_content {
                    true => None,
                    false => without_text(&answer.body).ok(),
                };
                let removed = kept.is_some();
                // A body that is not a JSON object is the error page of a proxy.
                let body = kept.unwrap_or_else(|| answer.body.clone());
                let status_code = answer.status_code.to_string();
                let notes = self.notes("answer", removed);
                let notes = notes.chain([(note::HTTP_STATUS.to_owned(), status_code)]);
                self.event(answer.headers.clone(), body, notes.collect())
            }
            Err(failure) => {
                let outcome = match failure {
                    RequestError::NoAnswer { .. } => "unknown",
                    _ => "not_sent",
                };
                let why =
                    [(note::OUTCOME, outcome.to_owned()), (note::REASON, failure.to_string())];
                let why = why.map(|(name, value)| (name.to_owned(), value));
                let notes = self.notes("no_answer", false).chain(why);
                self.event(Headers::default(), Vec::new(), notes.collect())
            }
        }
    }

    fn notes(&self, stage: &str, removed: bool) -> impl Iterator<Item = (String, String)> {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let ours =
            [own(note::SEND_ID, &self.send_id.to_string()), own(note::STAGE, stage)].into_iter();
        ours.chain(removed.then(|| own(note::CONTENT, "removed")))
    }

    fn event(&self, headers: Headers, body: Vec<u8>, notes: BTreeMap<String, String>) -> NewEvent {
        NewEvent {
            event_id: Uuid::now_v7(),
            received_at: Timestamp::from(OffsetDateTime::now_utc()),
            source: Source::Send,
            method: "POST".to_owned(),
            url: self.url.clone(),
            headers,
            body,
            verified_by: None,
            notes,
            salt: new_salt(),
        }
    }
}

fn headers(content_type: &str) -> Headers {
    Headers::new([("content-type".to_owned(), content_type.as_bytes().to_vec())])
}
