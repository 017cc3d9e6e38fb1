//! The OpenAPI 3.1 document of the admin listener (<https://spec.openapis.org/oas/v3.1.1.html>), and
//! Swagger UI.

use std::sync::Arc;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, serve};

use super::send_message::SendProblemDetails;
use super::{
    checks, event_stream, events, exports, find, health, jobs, message, message_list, metrics,
    recheck_quarantine, reports, send_message,
};
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::ProblemDetails;
use crate::wire::filter::CountryCode;
use crate::wire::written_time::ZoneName;

/// The content security policy of Swagger UI: it loads nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(title = "delivery-ledger", license(name = "Apache-2.0", identifier = "Apache-2.0"),
         description = "The lifecycle of every outbound message, from Twilio's status callbacks.",
         contact(name = "", url = "")),
    paths(
        health::healthz,
        health::readyz,
        metrics::metrics,
        checks::checks,
        recheck_quarantine::recheck,
        message::one,
        message_list::messages,
        send_message::send,
        find::find,
        events::page,
        events::one,
        events::body,
        event_stream::follow,
        exports::messages,
        exports::events,
        jobs::list,
        jobs::start,
        jobs::one,
        jobs::remove,
        jobs::file,
        jobs::manifest,
        reports::delivery,
    ),
    components(schemas(ProblemDetails, SendProblemDetails, ZoneName, CountryCode)),
    modifiers(&Token),
    security(("token" = []), ()),
    tags(
        (name = "messages", description = "Messages and their timelines"),
        (name = "events", description = "The log"),
        (name = "reports", description = "Delivery figures"),
        (name = "exports", description = "Messages and events as files"),
        (name = "jobs", description = "Exports that are kept, verifications and dry runs"),
        (name = "state", description = "Health, checks and metrics"),
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

/// The document as JSON.
pub fn document() -> String {
    Document::openapi().to_pretty_json().expect("the document is part of the program") + "\n"
}

/// `GET /openapi.json`.
pub async fn json(_: Query<NoParameters>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document())
}

/// `GET /docs`: redirects to Swagger UI, whose files have relative URLs.
pub async fn page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish()
}

/// `GET /docs/…`: Swagger UI and its files.
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
