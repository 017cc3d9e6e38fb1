//! What endpoints that make requests to Twilio have in common: who may use them, their JSON, their idempotency
//! key, and their errors.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponseBuilder};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use utoipa::{IntoResponses, ToSchema};

use super::sender::{PreparedRequest, SendResult, Sender};
use crate::http::admin::state::AdminState;
use crate::http::auth::tokens::Scope;
use crate::http::body::{self, BodyBudget};
use crate::http::error::Problem;
use crate::http::response::ProblemDetails;
use crate::send::idempotency::KEY_CHARACTERS_MAX;

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
    /// What is asked is invalid, its key was used for another request, or Twilio refused it
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(SendProblemDetails),
    /// Twilio refused the account's credentials
    #[response(status = 502, content_type = "application/problem+json")]
    NotAllowed(SendProblemDetails),
    /// It is not known whether Twilio has done it
    #[response(status = 504, content_type = "application/problem+json")]
    Unknown(SendProblemDetails),
}

/// A problem with a request to Twilio (RFC 9457).
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

/// Requires a token with the scope `send`, and JSON. Returns what else the client may do.
pub fn check_client(request: &HttpRequest) -> Result<Scope, Problem> {
    let scope = request.extensions().get::<Scope>().copied().ok_or(Problem::Internal)?;
    if !scope.may_send {
        return Err(Problem::MayNotSend);
    }
    require_json(request)?;
    Ok(scope)
}

/// Requires JSON, against requests that other pages in a browser may have forged: it forces a preflight request
/// from another origin.
pub fn require_json(request: &HttpRequest) -> Result<(), Problem> {
    if !body::is_json(request.headers()) {
        return Err(Problem::NotJson);
    }
    Ok(())
}

/// The key that identifies the request, if it has one.
pub fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
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

/// The body, which has to be the JSON of such a thing.
pub async fn json_body<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    thing: &str,
) -> Result<T, Problem> {
    let (headers, budget) = (request.headers(), BodyBudget::default());
    let body = body::read(headers, payload.into_inner(), body::FORM_BYTES_MAX, &budget).await?;
    serde_json::from_slice(&body.bytes)
        .map_err(|error| Problem::BadRequest(format!("the body is no such {thing}: {error}")))
}

/// What makes the requests of this server.
pub fn sender(state: &AdminState) -> Result<&Sender, Problem> {
    let none = || Problem::NotFound("this server sends no messages".to_owned());
    state.sending.as_ref().ok_or_else(none)
}

/// Makes a request in a separate task, which continues if the client disconnects.
pub async fn execute(
    request: PreparedRequest,
    state: &Data<AdminState>,
) -> Result<SendResult, Problem> {
    let (sender, store) = (sender(state)?.clone(), Arc::clone(&state.store));
    let execution = sender.execute(request, store, state.writer.clone());
    let (sent, result) = oneshot::channel();
    actix_web::rt::spawn(async move { sent.send(execution.await).ok() });
    result.await.map_err(|_| Problem::Internal)?
}

/// Marks a response that repeats an earlier one.
pub fn mark_replayed(response: &mut HttpResponseBuilder, result: &SendResult) {
    if result.replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
}
