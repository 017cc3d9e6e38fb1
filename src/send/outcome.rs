//! What came of a request to Twilio.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::note;
use super::request::SendKind;
use crate::domain::{NewEvent, Position};
use crate::twilio_api::{ApiError, ApiResponse, RequestError};

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// Twilio has done what was asked.
    Done(Done),
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
    /// It is not known whether Twilio has done it.
    Unknown(String),
}

/// What Twilio has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The SID of the message that was created, or that the feedback is about.
    pub message_sid: String,
    /// The first status of a message, such as `queued`, or the outcome of feedback.
    pub word: String,
}

/// An outcome, and the positions of the two events about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedOutcome {
    /// Connects the two events.
    pub send_id: String,
    /// The outcome.
    pub outcome: SendOutcome,
    /// The position of the intent.
    pub intent_position: Position,
    /// The position of the outcome; `None` if it is not in the log.
    pub answer_position: Option<Position>,
}

/// The members that are read of Twilio's response: a Message resource, or feedback.
#[derive(Deserialize)]
struct AnswerBody {
    sid: Option<String>,
    status: Option<serde_json::Value>,
    message_sid: Option<String>,
    outcome: Option<String>,
}

impl AnswerBody {
    /// What Twilio has done; `None` if the response does not name it.
    fn done(self, kind: SendKind) -> Option<Done> {
        let (message_sid, word) = match kind {
            SendKind::Message => {
                let status = self.status.and_then(|status| status.as_str().map(str::to_owned));
                (self.sid?, status.unwrap_or_else(|| "unknown".to_owned()))
            }
            SendKind::Feedback => (self.message_sid?, self.outcome?),
        };
        Some(Done { message_sid, word })
    }
}

impl SendOutcome {
    /// The outcome of a request by its response, or by the error.
    pub fn from_result(kind: SendKind, result: &Result<ApiResponse, RequestError>) -> Self {
        match result {
            Ok(answer) => Self::from_answer(kind, answer),
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
            ("answer", Some(status_code)) => {
                let answer = ApiResponse {
                    status_code,
                    url: event.url.clone(),
                    headers: event.headers.clone(),
                    body: event.body.clone(),
                };
                Some(Self::from_answer(SendKind::of_url(&event.url), &answer))
            }
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

    fn from_answer(kind: SendKind, answer: &ApiResponse) -> Self {
        let status_code = answer.status_code;
        match status_code {
            200..=299 => {
                let said = serde_json::from_slice::<AnswerBody>(&answer.body).ok();
                match said.and_then(|said| said.done(kind)) {
                    Some(done) => SendOutcome::Done(done),
                    None => {
                        SendOutcome::Unknown(format!("Twilio's answer names no {}", kind.name()))
                    }
                }
            }
            // A proxy may return 408 although it has forwarded the request.
            400..=407 | 409..=499 => {
                let refusal = ApiError::from_response(answer);
                let message = refusal.explained().unwrap_or_else(|| "no reason given".to_owned());
                SendOutcome::Refused { status_code, code: refusal.code, message }
            }
            _ => {
                SendOutcome::Unknown(format!("Twilio answered {}", ApiError::from_response(answer)))
            }
        }
    }

    fn to_json(&self, kind: SendKind) -> serde_json::Value {
        match self {
            SendOutcome::Done(Done { message_sid, word }) => match kind {
                SendKind::Message => {
                    json!({ "outcome": "made", "message_sid": message_sid, "status": word })
                }
                SendKind::Feedback => json!({ "outcome": word, "message_sid": message_sid }),
            },
            SendOutcome::Refused { status_code, code, message } => json!({
                "outcome": "refused", "http_status": status_code, "error_code": code,
                "detail": message,
            }),
            SendOutcome::NotSent(reason) => json!({ "outcome": "not_sent", "detail": reason }),
            SendOutcome::Unknown(reason) => json!({ "outcome": "unknown", "detail": reason }),
        }
    }
}

impl LoggedOutcome {
    /// The outcome as commands print it.
    pub fn to_json(&self, kind: SendKind) -> serde_json::Value {
        let mut json = self.outcome.to_json(kind);
        json["send_id"] = json!(self.send_id);
        json["intent_position"] = json!(self.intent_position);
        json["answer_position"] = json!(self.answer_position);
        json
    }
}
