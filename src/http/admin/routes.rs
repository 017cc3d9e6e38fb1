//! The paths of the admin listener.

use actix_web::web::{self, ServiceConfig};
use actix_web::{Handler, Resource, Responder};

use super::{
    checks, event_stream, events, exports, find, health, message, message_list, metrics, openapi,
    reports, send_message,
};
use crate::http::error::method_not_allowed;

/// Adds every path.
pub fn admin(app: &mut ServiceConfig) {
    app.service(get("/healthz", health::healthz))
        .service(get("/readyz", health::readyz))
        .service(get("/metrics", metrics::metrics))
        .service(get("/openapi.json", openapi::json))
        .service(get("/docs", openapi::page))
        .service(get("/docs/{file:.*}", openapi::page_file))
        .service(messages_resource())
        .service(find_resource())
        .service(get("/v1/messages/{sid}", message::one))
        .service(get("/v1/checks", checks::checks))
        .service(get("/v1/events", events::page))
        .service(get("/v1/events/stream", event_stream::follow))
        .service(get("/v1/events/{position}", events::one))
        .service(get("/v1/events/{position}/body", events::body))
        .service(get("/v1/exports/messages", exports::messages))
        .service(get("/v1/exports/events", exports::events))
        .service(get("/v1/reports/delivery", reports::delivery));
}

/// Lists messages, and sends them.
fn messages_resource() -> Resource {
    web::resource("/v1/messages")
        .route(web::get().to(message_list::messages))
        .route(web::head().to(message_list::messages))
        .route(web::post().to(send_message::send))
        .default_service(web::to(|| method_not_allowed("GET, HEAD, POST")))
}

/// Finds the messages of a number, which stands in the body and not in the URL.
fn find_resource() -> Resource {
    web::resource("/v1/messages/find")
        .route(web::post().to(find::find))
        .default_service(web::to(|| method_not_allowed("POST")))
}

/// A resource for GET and HEAD only.
fn get<F, Args>(path: &'static str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(|| method_not_allowed("GET, HEAD")))
}
