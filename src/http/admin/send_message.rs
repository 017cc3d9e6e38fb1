//! `POST /v1/messages`: a message is asked for, and what came of it answered. It is sent in `sending`.

use actix_web::http::header::{CONTENT_TYPE, HOST, LOCATION, ORIGIN};
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::message_sender::{Came, carry_out, sending};
use super::openapi::{Failures, SendFailures};
use crate::domain::media_type::media_type;
use crate::http::auth::tokens::Scope;
use crate::http::body::{self, BodyBudget};
use crate::http::error::{Problem, Reason, SendProblem};
use crate::http::query::{NoParameters, Query};
use crate::http::response;
use crate::http::state::Admin;
use crate::send::Outcome;
use crate::send::keys::KEY_CHARACTERS_MAX;

/// A message to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// Whom to send it to, such as +15558675310 or whatsapp:+15558675310
    pub to: String,
    /// Whom it comes from
    pub from: Option<String>,
    /// The messaging service that sends it
    pub messaging_service_sid: Option<String>,
    /// The text
    pub body: Option<String>,
    /// Pictures and other files
    #[serde(default)]
    pub media_urls: Vec<String>,
    /// A content template
    pub content_sid: Option<String>,
    /// The template's variables
    #[schema(value_type = Option<Object>)]
    pub content_variables: Option<serde_json::Map<String, serde_json::Value>>,
    /// When to send it; takes a messaging service
    #[schema(format = "date-time")]
    pub send_at: Option<String>,
    /// The account that sends it
    pub account_sid: Option<String>,
    /// Where Twilio tells what becomes of it; without one, the server's own URL for callbacks
    pub status_callback: Option<String>,
    /// Rely on the messaging service's own status callback
    #[serde(default)]
    pub no_status_callback: bool,
    /// Keep the text of the message in the log
    #[serde(default)]
    pub keep_content: bool,
}

/// A message that Twilio has made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeMessage {
    pub message_sid: String,
    /// Twilio's first word on it
    pub status: String,
    /// Ties intent and answer in the log
    pub send_id: String,
}

/// Sends a message through Twilio. Asked again under the same `Idempotency-Key` within 24 hours, it
/// sends nothing and answers the same.
#[utoipa::path(post, path = "/v1/messages", operation_id = "send", tag = "messages",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this message: it is sent once, however often it is asked for", pattern = "^[!-~]{1,255}$")),
    request_body = NewMessage,
    responses((status = 201, body = MadeMessage,
        headers(("Location" = String), ("Idempotency-Replayed" = String))), SendFailures, Failures))]
pub async fn send(
    request: HttpRequest,
    payload: Payload,
    state: Data<Admin>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    check_asker(&request)?;
    let key = idempotency_key(&request)?;
    let (headers, budget) = (request.headers(), BodyBudget::default());
    let body = body::read(headers, payload.into_inner(), body::FORM_BYTES_MAX, &budget);
    let body = body.await?.bytes;
    let message: NewMessage = serde_json::from_slice(&body)
        .map_err(|error| Problem::BadRequest(format!("the body is no such message: {error}")))?;
    let order = sending(&state)?.order(message, key)?;
    // Whoever asked may hang up; what was begun is brought to its end all the same.
    let (tell, told) = oneshot::channel();
    actix_web::rt::spawn(async move { tell.send(carry_out(&state, order).await).ok() });
    answer(told.await.map_err(|_| Problem::Internal)??)
}

/// Sending takes a token for it. A page in somebody's browser is kept out besides, lest it finds one:
/// it cannot send JSON without being asked where it comes from, nor hide that.
fn check_asker(request: &HttpRequest) -> Result<(), Problem> {
    let scope = request.extensions().get::<Scope>().copied().ok_or(Problem::Internal)?;
    if !scope.sends {
        return Err(Problem::MayNotSend);
    }
    if !is_json(request) {
        return Err(Problem::NotJson);
    }
    let header = |name| request.headers().get(name).map(|value| value.as_bytes());
    let own = |origin: &[u8]| {
        let host = header(HOST).unwrap_or_default();
        [&b"http://"[..], b"https://"].iter().any(|scheme| origin == [scheme, host].concat())
    };
    match header(ORIGIN) {
        Some(origin) if !own(origin) => Err(Problem::ForeignOrigin),
        _ => Ok(()),
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| media_type(value.as_bytes()) == "application/json")
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

fn answer(Came { send_id, outcome, replayed }: Came) -> Result<HttpResponse, Problem> {
    let problem =
        |reason| Err(Problem::Send(SendProblem { send_id: Some(send_id.clone()), reason }));
    match outcome {
        Outcome::Made { message_sid, status } => {
            let mut response = HttpResponse::Created();
            response.insert_header((LOCATION, format!("/v1/messages/{message_sid}")));
            if replayed {
                response.insert_header(("Idempotency-Replayed", "true"));
            }
            response::json(response, &MadeMessage { message_sid, status, send_id })
        }
        Outcome::Refused { status_code, code, message } => {
            problem(Reason::Refused { status_code, code, message })
        }
        Outcome::NotSent(reason) => problem(Reason::NotSent(reason)),
        Outcome::Unknown(reason) => problem(Reason::Unknown(reason)),
    }
}
