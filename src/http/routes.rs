//! Every path there is, on each listener.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Resource, guard};
use percent_encoding::percent_decode_str;

use super::error::method_not_allowed;
use super::state::Receiving;
use super::{callbacks, health, messages};

/// What a reverse proxy exposes.
pub fn callbacks(app: &mut ServiceConfig, state: &Data<Receiving>) {
    for path in state.callback_paths.clone() {
        app.service(
            web::resource("/{any:.*}")
                .guard(guard::fn_guard(move |request| same_path(request.head().uri.path(), &path)))
                .route(web::post().to(callbacks::receive))
                .default_service(web::to(|| method_not_allowed("POST"))),
        );
    }
    app.service(healthz());
}

/// On both listeners the same.
fn healthz() -> Resource {
    web::resource("/healthz")
        .route(web::get().to(health::healthz))
        .route(web::head().to(health::healthz))
        .default_service(web::to(|| method_not_allowed("GET, HEAD")))
}

/// Whether a request is for a callback path, however either of them is escaped. The router has no
/// say in it: it would decode the one and not the other.
fn same_path(requested: &str, configured: &str) -> bool {
    percent_decode_str(requested).eq(percent_decode_str(configured))
}

/// What operators and programs ask.
pub fn admin(app: &mut ServiceConfig) {
    let get = |path: &'static str, route: actix_web::Route| {
        web::resource(path).route(route).default_service(web::to(|| method_not_allowed("GET")))
    };
    app.service(healthz())
        .service(get("/readyz", web::get().to(health::readyz)))
        .service(get("/v1/messages/{sid}", web::get().to(messages::one)));
}
