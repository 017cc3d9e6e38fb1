//! Every path there is, on each listener.

use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard};

use super::admin::health;
use super::callbacks;
use super::error::{Problem, no_such_path};
use super::rejected::{Arrived, reject};
use super::state::Receiving;

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
