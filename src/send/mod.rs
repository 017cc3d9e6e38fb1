//! Sends messages and logs both the intent, before the request, and Twilio's response.
//!
//! A message's lifecycle begins here, because Twilio sends no callback for its first status
//! (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).

mod draft;
pub mod idempotency;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::draft::{Draft, DraftError, check_callback};
use crate::domain::event::Headers;
use crate::domain::{AccountSid, NewEvent, Source, Timestamp};
use crate::store::new_salt;
use crate::twilio::form::MEDIA_TYPE;
use crate::twilio::resource::without_text;
use crate::twilio_api::{ApiError, ApiResponse, Client, Credentials, RequestError, messages_url};

/// The names in the notes of events of source `send`.
pub mod note {
    /// Connects an intent and its outcome.
    pub const SEND_ID: &str = "send_id";
    /// `intent`, `answer`, or `no_answer`.
    pub const STAGE: &str = "stage";
    /// The status code of Twilio's response.
    pub const HTTP_STATUS: &str = "http_status";
    /// `removed` if the text of the message was removed.
    pub const CONTENT: &str = "content";
    /// The idempotency key of the client's request.
    pub const IDEMPOTENCY_KEY: &str = "idempotency_key";
    /// A hash of the request with that key: another request must not use it.
    pub const REQUEST_HASH: &str = "request_hash";
    /// `not_sent` or `unknown`, if there is no response.
    pub const OUTCOME: &str = "outcome";
    /// For a message found in a list: the send that it probably belongs to.
    pub const MAY_ANSWER: &str = "may_answer_send";
    /// The reason there is no response.
    pub const REASON: &str = "reason";
}

/// A message about to be sent.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Connects the intent in the log with its outcome.
    pub send_id: Uuid,
    account_sid: AccountSid,
    draft: Draft,
    url: String,
    keep_content: bool,
    /// Notes by which the caller identifies the request.
    further_notes: BTreeMap<String, String>,
}

/// The outcome of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// Twilio has created the message.
    Made {
        /// The SID of the message.
        message_sid: String,
        /// Its first status, such as `queued`.
        status: String,
    },
    /// Twilio has refused it, for this reason.
    Refused {
        /// The HTTP status code.
        status_code: u16,
        /// Twilio's error code.
        code: Option<u32>,
        /// Twilio's text.
        message: String,
    },
    /// Nothing reached Twilio.
    NotSent(String),
    /// It is not known whether Twilio has created the message.
    Unknown(String),
}

/// The members that are read of Twilio's response.
#[derive(Deserialize)]
struct AnswerBody {
    sid: Option<String>,
    status: Option<serde_json::Value>,
}

impl Attempt {
    /// A send of a checked message.
    pub fn new(
        client: &Client,
        account_sid: &AccountSid,
        draft: Draft,
        keep_content: bool,
    ) -> Result<Self, DraftError> {
        draft.check()?;
        Ok(Self {
            send_id: Uuid::now_v7(),
            url: client.url(&messages_url(account_sid)),
            account_sid: account_sid.clone(),
            draft,
            keep_content,
            further_notes: BTreeMap::new(),
        })
    }

    /// Adds notes to its intent.
    pub fn with_notes(mut self, notes: impl IntoIterator<Item = (String, String)>) -> Self {
        self.further_notes.extend(notes);
        self
    }

    /// The URL of the request.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The event to be logged before the request is sent.
    pub fn intent(&self) -> NewEvent {
        let (body, removed) = match self.keep_content {
            true => (self.draft.form(), false),
            false => (self.draft.form_without_text(), self.draft.has_text()),
        };
        let notes = self.notes("intent", removed).chain(self.further_notes.clone());
        self.event(headers(MEDIA_TYPE), body, notes.collect())
    }

    /// Sends the request. It is only retried if Twilio reports that it did not accept it.
    pub fn send(&self, client: &Client, who: &Credentials) -> Result<ApiResponse, RequestError> {
        client.create(who, &self.account_sid, &self.draft.form())
    }

    /// The event with the outcome, to be logged after the request.
    pub fn answer(&self, outcome: &Result<ApiResponse, RequestError>) -> NewEvent {
        match outcome {
            Ok(answer) => {
                let kept = match self.keep_content {
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

impl SendOutcome {
    /// The outcome of a request by its response, or by the error.
    pub fn from_result(outcome: &Result<ApiResponse, RequestError>) -> Self {
        match outcome {
            Ok(answer) => Self::from_answer(answer),
            Err(failure @ RequestError::NoAnswer { .. }) => {
                SendOutcome::Unknown(failure.to_string())
            }
            Err(failure) => SendOutcome::NotSent(failure.to_string()),
        }
    }

    /// The outcome in an event; `None` if the event has none.
    pub fn from_event(event: &NewEvent) -> Option<Self> {
        let note = |name: &str| event.notes.get(name).map(String::as_str);
        let status_code = note(note::HTTP_STATUS).and_then(|status_code| status_code.parse().ok());
        match (note(note::STAGE)?, status_code) {
            ("answer", Some(status_code)) => Some(Self::from_answer(&ApiResponse {
                status_code,
                url: event.url.clone(),
                headers: event.headers.clone(),
                body: event.body.clone(),
            })),
            ("answer" | "no_answer", _) => {
                let reason = note(note::REASON).unwrap_or_default().to_owned();
                Some(match note(note::OUTCOME) {
                    Some("not_sent") => SendOutcome::NotSent(reason),
                    _ => SendOutcome::Unknown(reason),
                })
            }
            _ => None,
        }
    }

    fn from_answer(answer: &ApiResponse) -> Self {
        let said = serde_json::from_slice::<AnswerBody>(&answer.body).ok();
        let status_code = answer.status_code;
        match (status_code, said) {
            (200..=299, Some(AnswerBody { sid: Some(message_sid), status, .. })) => {
                let status = status.and_then(|status| status.as_str().map(str::to_owned));
                SendOutcome::Made {
                    message_sid,
                    status: status.unwrap_or_else(|| "unknown".into()),
                }
            }
            // A proxy may return 408 although it has forwarded the request.
            (400..=407 | 409..=499, _) => {
                let refusal = ApiError::from_response(answer);
                let message = refusal.explained().unwrap_or_else(|| "no reason given".to_owned());
                SendOutcome::Refused { status_code, code: refusal.code, message }
            }
            (200..=299, _) => SendOutcome::Unknown("Twilio's answer names no message".to_owned()),
            _ => {
                SendOutcome::Unknown(format!("Twilio answered {}", ApiError::from_response(answer)))
            }
        }
    }
}

fn headers(content_type: &str) -> Headers {
    Headers::new([("content-type".to_owned(), content_type.as_bytes().to_vec())])
}

/// An outcome as JSON, for commands and the API.
pub fn to_json(outcome: &SendOutcome) -> serde_json::Value {
    match outcome {
        SendOutcome::Made { message_sid, status } => {
            json!({ "outcome": "made", "message_sid": message_sid, "status": status })
        }
        SendOutcome::Refused { status_code, code, message } => json!({
            "outcome": "refused", "http_status": status_code, "error_code": code,
            "detail": message,
        }),
        SendOutcome::NotSent(reason) => json!({ "outcome": "not_sent", "detail": reason }),
        SendOutcome::Unknown(reason) => json!({ "outcome": "unknown", "detail": reason }),
    }
}
