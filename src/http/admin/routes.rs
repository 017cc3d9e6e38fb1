//! The paths of the admin listener.

use actix_web::Resource;
use actix_web::web::{self, ServiceConfig};

use super::messages::{evidence, feedback, find, list, message, send_message};
use super::{
    checks, docs, events, exports, health, jobs, metrics, openapi, quarantine, reports, seals,
    targets, tree,
};
use crate::http::error::method_not_allowed;
use crate::http::pages;
use crate::http::resource::{get, post};

/// Adds every path.
pub fn admin(app: &mut ServiceConfig) {
    app.service(get("/healthz", health::healthz))
        .service(get("/readyz", health::readyz))
        .service(get("/metrics", metrics::metrics))
        .service(get("/openapi.json", openapi::json))
        .service(get("/docs", docs::redirect))
        .service(get("/docs/{file:.*}", docs::file))
        .service(messages_resource())
        .service(post("/v1/messages/find", find::find))
        .service(get("/v1/messages/{sid}", message::one))
        .service(post("/v1/messages/{sid}/feedback", feedback::report))
        .service(get("/v1/messages/{sid}/evidence", evidence::evidence))
        .service(get("/v1/seals", seals::list))
        .service(get("/v1/seals/latest", seals::latest))
        .service(get("/v1/seals/{size}", seals::one))
        .service(get("/v1/seals/{to}/consistency", seals::consistency))
        .service(get("/v1/tree/checkpoint", tree::checkpoint))
        .service(get("/v1/tree/tile/{path:.*}", tree::tile))
        .service(get("/v1/checks", checks::checks))
        .service(get("/v1/targets", targets::targets))
        .service(post("/v1/quarantine/recheck", quarantine::recheck))
        .service(get("/v1/events", events::page))
        .service(get("/v1/events/stream", events::stream::follow))
        .service(get("/v1/events/{position}", events::one))
        .service(get("/v1/events/{position}/body", events::body))
        .service(get("/v1/exports/messages", exports::messages))
        .service(get("/v1/exports/events", exports::events))
        .service(jobs_resource())
        .service(job_resource())
        .service(get("/v1/jobs/{job}/file", jobs::file))
        .service(get("/v1/jobs/{job}/manifest", jobs::manifest))
        .service(get("/v1/reports/delivery", reports::delivery))
        .configure(pages::routes);
}

/// Lists messages, and sends them.
fn messages_resource() -> Resource {
    web::resource("/v1/messages")
        .route(web::get().to(list::messages))
        .route(web::head().to(list::messages))
        .route(web::post().to(send_message::send))
        .default_service(web::to(|| method_not_allowed("GET, HEAD, POST")))
}

/// Lists jobs, and starts them.
fn jobs_resource() -> Resource {
    web::resource("/v1/jobs")
        .route(web::get().to(jobs::list))
        .route(web::head().to(jobs::list))
        .route(web::post().to(jobs::start))
        .default_service(web::to(|| method_not_allowed("GET, HEAD, POST")))
}

/// Shows one job, and removes it.
fn job_resource() -> Resource {
    web::resource("/v1/jobs/{job}")
        .route(web::get().to(jobs::one))
        .route(web::head().to(jobs::one))
        .route(web::delete().to(jobs::remove))
        .default_service(web::to(|| method_not_allowed("GET, HEAD, DELETE")))
}
