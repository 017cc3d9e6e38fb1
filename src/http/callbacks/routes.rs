//! The routes of the callback listener.

use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard};

use super::receive::receive;
use super::rejection::{ReceivedRequest, reject};
use super::state::CallbackState;
use crate::http::admin::health;
use crate::http::error::{Problem, no_such_path};

/// Adds the routes, which a reverse proxy may expose. A guard matches the callback paths, because the
/// router would decode the percent-escapes of the request but not those of the setting.
pub fn callbacks(app: &mut ServiceConfig, state: &Data<CallbackState>) {
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
                .route(web::post().to(receive))
                .default_service(web::to(|request, payload| {
                    wrong_method(request, payload, "POST")
                })),
        );
    }
    app.default_service(web::to(wrong_path));
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
