//! The problem that a request to Twilio was not made, was refused, or may have been carried out or not.

use std::fmt;

use actix_web::http::StatusCode;
use serde_json::json;

use crate::send::SendKind;
use crate::wire::mask;

/// Why Twilio has not done what was asked, as far as is known.
#[derive(Debug)]
pub struct SendProblem {
    /// Identifies the send in the log; `None` if it was not begun.
    pub send_id: Option<String>,
    pub reason: Reason,
}

/// The reason.
#[derive(Debug)]
pub enum Reason {
    /// What is asked is invalid, or its key was used for another request.
    Unprocessable(String),
    /// Twilio refused it.
    Refused { kind: SendKind, status_code: u16, code: Option<u32>, message: String },
    /// Twilio was not reached, or accepts no more at the moment.
    NotSent(String),
    /// It is not known whether Twilio has done it.
    Unknown { kind: SendKind, reason: String },
}

impl SendProblem {
    /// The response's status code.
    pub fn status_code(&self) -> StatusCode {
        match self.reason {
            // Twilio does not know us, or not for this: nothing that the asker could put right.
            Reason::Refused { status_code: 401 | 403, .. } => StatusCode::BAD_GATEWAY,
            Reason::Unprocessable(_) | Reason::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Reason::NotSent(_) => StatusCode::SERVICE_UNAVAILABLE,
            Reason::Unknown { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Members of the problem details in addition to the standard ones.
    pub fn members(&self) -> serde_json::Value {
        let mut members = json!({});
        if let Some(send_id) = &self.send_id {
            members["send_id"] = json!(send_id);
        }
        if let Reason::Refused { status_code, code, .. } = &self.reason {
            members["twilio_status"] = json!(status_code);
            members["twilio_code"] = json!(code);
        }
        members
    }

    /// The same problem with the addresses in its detail masked.
    pub fn masked(&self) -> Self {
        Self { send_id: self.send_id.clone(), reason: self.reason.masked() }
    }
}

impl fmt::Display for SendProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Unprocessable(detail) => f.write_str(detail),
            Reason::Refused { kind, message, .. } => {
                write!(f, "Twilio refused the {}: {message}", kind.name())
            }
            Reason::NotSent(reason) => {
                write!(f, "nothing was sent: {reason}; it can be tried again")
            }
            Reason::Unknown { kind: SendKind::Message, reason } => write!(
                f,
                "whether the message was made is not known: {reason}. Do not send it again under \
                 another key before `reconcile` has looked for it"
            ),
            Reason::Unknown { kind: SendKind::Feedback, reason } => write!(
                f,
                "whether Twilio has recorded the feedback is not known: {reason}. It can be reported \
                 again, under another key or none: the same outcome twice changes nothing"
            ),
        }
    }
}

impl Reason {
    fn masked(&self) -> Self {
        match self {
            Reason::Unprocessable(text) => Reason::Unprocessable(mask::text(text)),
            Reason::Refused { kind, status_code, code, message } => Reason::Refused {
                kind: *kind,
                status_code: *status_code,
                code: *code,
                message: mask::text(message),
            },
            Reason::NotSent(text) => Reason::NotSent(mask::text(text)),
            Reason::Unknown { kind, reason } => {
                Reason::Unknown { kind: *kind, reason: mask::text(reason) }
            }
        }
    }
}
