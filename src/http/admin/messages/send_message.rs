//! `POST /v1/messages`: parses a message, sends it, and responds with the result.

use std::sync::Arc;

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::{IntoResponses, ToSchema};

use super::message_sender::{MessageSender, SendResult, unprocessable};
use crate::domain::Timestamp;
use crate::http::admin::state::AdminState;
use crate::http::auth::tokens::Scope;
use crate::http::body::{self, BodyBudget};
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::{self, Failures, ProblemDetails};
use crate::http::send_problem::{Reason, SendProblem};
use crate::send::idempotency::KEY_CHARACTERS_MAX;
use crate::send::{Draft, SendOutcome};

/// A message to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// The recipient, such as +15558675310 or whatsapp:+15558675310
    pub to: String,
    /// The sender
    pub from: Option<String>,
    /// The messaging service that sends it
    pub messaging_service_sid: Option<String>,
    /// The text of the message
    pub body: Option<String>,
    /// URLs of pictures and other files
    #[serde(default)]
    pub media_urls: Vec<String>,
    /// A content template
    pub content_sid: Option<String>,
    /// The template's variables
    #[schema(value_type = Option<Object>)]
    pub content_variables: Option<serde_json::Map<String, serde_json::Value>>,
    /// When to send it; requires a messaging service
    #[schema(format = "date-time")]
    pub send_at: Option<String>,
    /// The account that sends it, by SID or name
    pub account_sid: Option<String>,
    /// The URL for status callbacks; the default is this server's own
    pub status_callback: Option<String>,
    /// Rely on the messaging service's own status callback
    #[serde(default)]
    pub no_status_callback: bool,
    /// Keep the text of the message in the log
    #[serde(default)]
    pub keep_content: bool,
}

/// A message that Twilio has created.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeMessage {
    pub message_sid: String,
    /// Its first status
    pub status: String,
    /// Connects the request and the response in the log
    pub send_id: String,
}

/// Errors of sending, besides those of every endpoint.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes what `Problem` answers")]
pub enum SendFailures {
    /// The body is longer than 64 KiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDetails),
    /// The body is not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(ProblemDetails),
    /// The message is invalid, its key was used for another message, or Twilio refused it
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(SendProblemDetails),
    /// Twilio refused the account's credentials
    #[response(status = 502, content_type = "application/problem+json")]
    NotAllowed(SendProblemDetails),
    /// It is not known whether the message was created
    #[response(status = 504, content_type = "application/problem+json")]
    Unknown(SendProblemDetails),
}

/// A problem with sending a message (RFC 9457).
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `Problem` writes")]
pub struct SendProblemDetails {
    #[schema(inline)]
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    request_id: String,
    /// Connects the request and the response in the log
    send_id: Option<String>,
    /// The HTTP status code of Twilio's answer
    twilio_status: Option<u16>,
    /// Twilio's error code
    twilio_code: Option<u32>,
}

/// Sends a message through Twilio. A repeated request with the same `Idempotency-Key` within 24 hours
/// sends nothing and gets the same response.
#[utoipa::path(post, path = "/v1/messages", operation_id = "send", tag = "messages",
    params(("Idempotency-Key" = Option<String>, Header, description = "Identifies the message, so that repeated requests send it once", pattern = "^[!-~]{1,255}$")),
    request_body = NewMessage,
    responses((status = 201, body = MadeMessage,
        headers(("Location" = String), ("Idempotency-Replayed" = String))), SendFailures, Failures))]
pub async fn send(
    request: HttpRequest,
    payload: Payload,
    state: Data<AdminState>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    check_client(&request)?;
    let key = idempotency_key(&request)?;
    let (headers, budget) = (request.headers(), BodyBudget::default());
    let body = body::read(headers, payload.into_inner(), body::FORM_BYTES_MAX, &budget);
    let body = body.await?.bytes;
    let message: NewMessage = serde_json::from_slice(&body)
        .map_err(|error| Problem::BadRequest(format!("the body is no such message: {error}")))?;
    let sender = message_sender(&state)?.clone();
    let account = sender.account(message.account_sid.as_deref())?;
    let keep_content = message.keep_content;
    let draft = draft(message, sender.status_callback())?;
    let to_send = sender.prepare(account, draft, keep_content, key)?;
    // A separate task, which continues if the client disconnects.
    let (sent, result) = oneshot::channel();
    actix_web::rt::spawn(async move {
        let (store, writer) = (Arc::clone(&state.store), state.writer.clone());
        sent.send(sender.execute(to_send, store, writer).await).ok()
    });
    answer(result.await.map_err(|_| Problem::Internal)??)
}

fn message_sender(state: &AdminState) -> Result<&MessageSender, Problem> {
    let none = || Problem::NotFound("this server sends no messages".to_owned());
    state.sending.as_ref().ok_or_else(none)
}

/// The draft of the message; `status_callback` is the default for messages that name none.
fn draft(message: NewMessage, status_callback: Option<String>) -> Result<Draft, Problem> {
    let status_callback = match (message.no_status_callback, message.status_callback) {
        (true, Some(_)) => Err("status_callback and no_status_callback exclude each other"),
        (true, None) => Ok(None),
        (false, Some(url)) => Ok(Some(url)),
        (false, None) => status_callback.map(Some).ok_or(
            "this server does not know under which URL Twilio reaches it: give \
             status_callback, or set DELIVERY_LEDGER_PUBLIC_URL",
        ),
    };
    let send_at = message.send_at.map(|text| {
        let unreadable = format!(
            "send_at `{}` is not an RFC 3339 time, such as 2026-01-31T12:00:00Z",
            text.escape_debug()
        );
        Timestamp::parse(&text).ok_or_else(|| unprocessable(unreadable))
    });
    let variables = message.content_variables.map(serde_json::Value::Object);
    Ok(Draft {
        to: message.to,
        from: message.from,
        messaging_service_sid: message.messaging_service_sid,
        body: message.body,
        media_urls: message.media_urls,
        content_sid: message.content_sid,
        content_variables: variables.map(|variables| variables.to_string()),
        send_at: send_at.transpose()?,
        status_callback: status_callback.map_err(unprocessable)?,
    })
}

/// Requires a token with the scope `send`, and JSON.
fn check_client(request: &HttpRequest) -> Result<(), Problem> {
    let scope = request.extensions().get::<Scope>().copied().ok_or(Problem::Internal)?;
    if !scope.may_send {
        return Err(Problem::MayNotSend);
    }
    require_json(request)
}

/// Requires JSON, against requests that other pages in a browser may have forged: it forces a preflight request
/// from another origin.
pub fn require_json(request: &HttpRequest) -> Result<(), Problem> {
    if !body::is_json(request.headers()) {
        return Err(Problem::NotJson);
    }
    Ok(())
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut keys = request.headers().get_all("idempotency-key");
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.to_str().ok().map(str::trim).filter(|key| {
        (1..=KEY_CHARACTERS_MAX).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic())
    });
    match (key, keys.next()) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        _ => Err(Problem::BadRequest(format!(
            "Idempotency-Key is not one text of 1 to {KEY_CHARACTERS_MAX} visible ASCII characters"
        ))),
    }
}

fn answer(SendResult { send_id, outcome, replayed }: SendResult) -> Result<HttpResponse, Problem> {
    let problem =
        |reason| Err(Problem::Send(SendProblem { send_id: Some(send_id.clone()), reason }));
    match outcome {
        SendOutcome::Made { message_sid, status } => {
            let mut response = HttpResponse::Created();
            response.insert_header((LOCATION, format!("/v1/messages/{message_sid}")));
            if replayed {
                response.insert_header(("Idempotency-Replayed", "true"));
            }
            response::json(response, &MadeMessage { message_sid, status, send_id })
        }
        SendOutcome::Refused { status_code, code, message } => {
            problem(Reason::Refused { status_code, code, message })
        }
        SendOutcome::NotSent(reason) => problem(Reason::NotSent(reason)),
        SendOutcome::Unknown(reason) => problem(Reason::Unknown(reason)),
    }
}
