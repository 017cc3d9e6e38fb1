//! Every path there is, on each listener.

use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{Handler, HttpRequest, HttpResponse, Resource, Responder, guard};

use super::error::{Problem, method_not_allowed, no_such_path};
use super::rejected::{Arrived, reject};
use super::state::Receiving;
use super::{
    callbacks, events, exports, health, list, messages, metrics_endpoint, openapi, reports, send,
    stream,
};

/// What a reverse proxy exposes. The router has no say in callback paths: it would decode the
/// percent-escapes of the request and not of the setting.
pub fn callbacks(app: &mut ServiceConfig, state: &Data<Receiving>) {
    // First, so that no prefix hides it.
    app.service(
        web::resource("/healthz")
            .route(web::get().to(health::healthz))
            .route(web::head().to(health::healthz))
            .default_service(web::to(|request, payload| {
                wrong_method(request, payload, "GET, HEAD")
            })),
    );
    for path in state.callback_paths.iter() {
        let path = path.clone();
        app.service(
            web::resource("/{any:.*}")
                .guard(guard::fn_guard(move |request| path.matches(request.head().uri.path())))
                .route(web::post().to(callbacks::receive))
                .default_service(web::to(|request, payload| {
                    wrong_method(request, payload, "POST")
                })),
        );
    }
    app.default_service(web::to(wrong_path));
}

/// What is signed and came by another method was perhaps to be a callback.
async fn wrong_method(
    request: HttpRequest,
    payload: Payload,
    allowed: &'static str,
) -> Result<HttpResponse, Problem> {
    Err(reject(&request, payload.into_inner(), Problem::MethodNotAllowed(allowed)).await)
}

/// The same of what came to another path.
async fn wrong_path(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let arrived = Arrived::now(&request);
    if !arrived.is_signed() {
        return no_such_path().await;
    }
    let path = request.uri().path().to_owned();
    Err(reject(&request, payload.into_inner(), Problem::NoCallbackPath(path)).await)
}

/// What operators and programs ask.
pub fn admin(app: &mut ServiceConfig) {
    app.service(get("/healthz", health::healthz))
        .service(get("/readyz", health::readyz))
        .service(get("/metrics", metrics_endpoint::metrics))
        .service(get("/openapi.json", openapi::json))
        .service(get("/docs", openapi::page))
        .service(get("/docs/{file:.*}", openapi::page_file))
        .service(messages_resource())
        .service(get("/v1/messages/{sid}", messages::one))
        .service(get("/v1/events", events::page))
        .service(get("/v1/events/stream", stream::follow))
        .service(get("/v1/events/{position}", events::one))
        .service(get("/v1/events/{position}/body", events::body))
        .service(get("/v1/exports/messages", exports::messages))
        .service(get("/v1/exports/events", exports::events))
        .service(get("/v1/reports/delivery", reports::delivery));
}

/// Where messages are listed, and sent.
fn messages_resource() -> Resource {
    web::resource("/v1/messages")
        .route(web::get().to(list::messages))
        .route(web::head().to(list::messages))
        .route(web::post().to(send::send))
        .default_service(web::to(|| method_not_allowed("GET, HEAD, POST")))
}

/// A path that is only asked.
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
