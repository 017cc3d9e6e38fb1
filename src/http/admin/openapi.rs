//! The interface for questions as an OpenAPI 3.1 document, and a page that shows it
//! (<https://spec.openapis.org/oas/v3.1.1.html>).

use std::sync::Arc;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, serve};

use super::{
    event_stream, events, exports, health, message, message_list, metrics, reports, send_message,
};
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};

/// What the page may load: nothing that does not come from here.
const PAGE_POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(title = "delivery-ledger", license(name = "Apache-2.0", identifier = "Apache-2.0"),
         description = "What became of every outbound message, as Twilio's status callbacks tell it.",
         contact(name = "", url = "")),
    paths(
        health::healthz,
        health::readyz,
        metrics::metrics,
        message::one,
        message_list::messages,
        send_message::send,
        events::page,
        events::one,
        events::body,
        event_stream::follow,
        exports::messages,
        exports::events,
        reports::delivery,
    ),
    components(schemas(ProblemDetails, SendProblemDetails)),
    modifiers(&Token),
    security(("token" = []), ()),
    tags(
        (name = "messages", description = "Where messages stand, and how they got there"),
        (name = "events", description = "The log"),
        (name = "reports", description = "What became of messages, counted"),
        (name = "exports", description = "Everything, as a file"),
        (name = "state", description = "Whether the server does its work"),
    )
)]
struct Document;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        document.info.contact = None;
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("token", bearer);
    }
}

/// A problem (RFC 9457).
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `Problem` writes")]
pub struct ProblemDetails {
    r#type: String,
    title: String,
    status: u16,
    /// What is wrong, and what would be right.
    detail: String,
    /// Names this answer in what the server writes of it.
    request_id: String,
}

/// What any question may be answered with instead.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes what `Problem` answers")]
pub enum Failures {
    /// A parameter is unknown, doubled, or not what it must be
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemDetails),
    /// A token is needed
    #[response(status = 401, content_type = "application/problem+json")]
    NoToken(ProblemDetails),
    /// Not for this Host, or not for this token
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// There is none
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDetails),
    /// It could be several, conditions exclude each other, or the log does not go so far
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
    /// Too many attempts without a token that fits
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemDetails),
    /// Not now
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemDetails),
}

/// What sending may be answered with beside that.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes what `Problem` answers")]
pub enum SendFailures {
    /// It is longer than 64 KiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDetails),
    /// It is not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(ProblemDetails),
    /// It cannot be sent as it is, its key stands for another message, or Twilio refused it
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(SendProblemDetails),
    /// Twilio refused the account's credentials
    #[response(status = 502, content_type = "application/problem+json")]
    NotAllowed(SendProblemDetails),
    /// Whether the message was made is not known
    #[response(status = 504, content_type = "application/problem+json")]
    Unknown(SendProblemDetails),
}

/// A problem with a message that was to be sent.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `Problem` writes")]
pub struct SendProblemDetails {
    #[schema(inline)]
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    request_id: String,
    /// Ties intent and answer in the log
    send_id: Option<String>,
    /// The HTTP status code of Twilio's answer
    twilio_status: Option<u16>,
    /// Twilio's error code
    twilio_code: Option<u32>,
}

/// The document as JSON, the same for every server of this version.
pub fn document() -> String {
    Document::openapi().to_pretty_json().expect("the document is part of the program") + "\n"
}

/// `GET /openapi.json`.
pub async fn json(_: Query<NoParameters>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document())
}

/// `GET /docs`: leads to the page, whose files lie below it.
pub async fn page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish()
}

/// The page and its files, all of them from here.
pub async fn page_file(file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let config = Arc::new(Config::from("/openapi.json").validator_url("none"));
    let found = serve(&file, config).map_err(|_| Problem::Internal)?;
    let found =
        found.ok_or_else(|| Problem::NotFound("there is nothing at this path".to_owned()))?;
    Ok(HttpResponse::Ok()
        .content_type(found.content_type)
        .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .body(found.bytes.into_owned()))
}
