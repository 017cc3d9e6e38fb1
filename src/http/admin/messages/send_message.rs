//! `POST /v1/messages`: parses a message, sends it, and responds with the result.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::send_request::{
    SendFailures, check_client, execute, idempotency_key, json_body, mark_replayed, sender,
};
use super::sender::{SendResult, unprocessable};
use crate::domain::Timestamp;
use crate::http::admin::state::AdminState;
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::{self, Failures};
use crate::send::{Done, Draft};

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
    /// Tell Twilio that feedback on the message will follow
    #[serde(default)]
    pub provide_feedback: bool,
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
    let message: NewMessage = json_body(&request, payload, "message").await?;
    let sender = sender(&state)?;
    let (account_sid, credentials) = sender.account(message.account_sid.as_deref())?;
    let keep_content = message.keep_content;
    let draft = draft(message, sender.status_callback())?;
    let to_send = draft.request(&account_sid, keep_content);
    let to_send = to_send.map_err(|bad| unprocessable(bad.to_string()))?;
    answer(&execute(sender.prepare(to_send, credentials, key)?, &state).await?)
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
        provide_feedback: message.provide_feedback,
    })
}

fn answer(result: &SendResult) -> Result<HttpResponse, Problem> {
    let Done { message_sid, word: status } = result.done()?.clone();
    let mut response = HttpResponse::Created();
    response.insert_header((LOCATION, format!("/v1/messages/{message_sid}")));
    mark_replayed(&mut response, result);
    let send_id = result.logged.send_id.clone();
    response::json(response, &MadeMessage { message_sid, status, send_id })
}
