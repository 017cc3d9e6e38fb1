//! The routes of the callback listener.

use actix_web::http::Method;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::receive::receive;
use super::rejection::{ReceivedRequest, reject};
use super::state::CallbackState;
use crate::http::admin::health;
use crate::http::error::{Problem, no_such_path};

/// Adds the routes, which a reverse proxy may expose. The callback paths are not resources of the router, which
/// would decode the percent-escapes of the request but not those of the setting, and take longer.
pub fn callbacks(app: &mut ServiceConfig) {
    app.service(
        web::resource("/healthz")
            .route(web::get().to(health::healthz))
            .route(web::head().to(health::healthz))
            .default_service(web::to(|request, payload| {
                wrong_method(request, payload, "GET, HEAD")
            })),
    );
    app.default_service(web::to(by_path));
}

/// Receives a callback, if path and method are those of one.
async fn by_path(
    request: HttpRequest,
    payload: Payload,
    state: Data<CallbackState>,
) -> Result<HttpResponse, Problem> {
    let path = request.uri().path();
    if !state.callback_paths.iter().any(|callback| callback.matches(path)) {
        return wrong_path(request, payload).await;
    }
    match *request.method() {
        Method::POST => receive(request, payload, state).await,
        _ => wrong_method(request, payload, "POST").await,
    }
}

/// Rejects another method. A signed request with it may have been meant as a callback.
async fn wrong_method(
    request: HttpRequest,
    payload: Payload,
    allowed: &'static str,
) -> Result<HttpResponse, Problem> {
    Err(reject(&request, payload.into_inner(), Problem::MethodNotAllowed(allowed)).await)
}

/// Rejects a path that is not a callback path. A signed request to it may have been meant as a callback.
async fn wrong_path(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let received = ReceivedRequest::new(&request);
    if !received.is_signed() {
        return no_such_path().await;
    }
    let path = request.uri().path().to_owned();
    Err(reject(&request, payload.into_inner(), Problem::NoCallbackPath(path)).await)
}
