//! Every path there is, on each listener.

use actix_web::guard;
use actix_web::web::{self, Data, ServiceConfig};

use super::error::method_not_allowed;
use super::state::Receiving;
use super::{callbacks, health, messages};

/// What a reverse proxy exposes. Callback paths are compared byte for byte as they stand on the
/// request line, which is what Twilio signed; the router would decode them first.
pub fn callbacks(app: &mut ServiceConfig, state: &Data<Receiving>) {
    for path in state.callback_paths.clone() {
        app.service(
            web::resource("/{any:.*}")
                .guard(guard::fn_guard(move |request| request.head().uri.path() == path))
                .route(web::post().to(callbacks::receive))
                .default_service(web::to(|| method_not_allowed("POST"))),
        );
    }
    app.service(
        web::resource("/healthz")
            .route(web::get().to(health::healthz))
            .route(web::head().to(health::healthz))
            .default_service(web::to(|| method_not_allowed("GET, HEAD"))),
    );
}

/// What operators and programs ask.
pub fn admin(app: &mut ServiceConfig) {
    let get = |path: &'static str, route: actix_web::Route| {
        web::resource(path).route(route).default_service(web::to(|| method_not_allowed("GET")))
    };
    app.service(get("/healthz", web::get().to(health::healthz)))
        .service(get("/readyz", web::get().to(health::readyz)))
        .service(get("/v1/messages/{sid}", web::get().to(messages::one)));
}
