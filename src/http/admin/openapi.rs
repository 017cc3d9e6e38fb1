//! The OpenAPI 3.1 document of the admin listener (<https://spec.openapis.org/oas/v3.1.1.html>).

use actix_web::HttpResponse;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::messages::send_request::SendProblemDetails;
use super::messages::{evidence, feedback, find, list, message, send_message};
use super::{
    checks, events, exports, health, jobs, metrics, quarantine, reports, seals, targets, tree,
};
use crate::http::query::{NoParameters, Query};
use crate::http::response::ProblemDetails;
use crate::wire::filter::CountryCode;
use crate::wire::written_time::ZoneName;

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
        targets::targets,
        quarantine::recheck,
        message::one,
        list::messages,
        send_message::send,
        feedback::report,
        find::find,
        evidence::evidence,
        seals::list,
        seals::latest,
        seals::one,
        seals::consistency,
        tree::checkpoint,
        tree::tile,
        events::page,
        events::one,
        events::body,
        events::stream::follow,
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
        (name = "evidence", description = "What others can check without this ledger"),
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
