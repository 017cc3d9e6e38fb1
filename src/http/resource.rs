//! Resources of the admin listener by the methods that they support; any other method is answered 405.

use actix_web::web;
use actix_web::{FromRequest, Handler, Resource, Responder};

use super::error::method_not_allowed;

/// A resource for GET and HEAD only.
pub fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(|| method_not_allowed("GET, HEAD")))
}

/// A resource for POST only.
pub fn post<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::post().to(handler))
        .default_service(web::to(|| method_not_allowed("POST")))
}

/// A resource for GET and HEAD with one handler, and for POST with another.
pub fn get_and_post<G, A, P, B>(path: &str, read: G, write: P) -> Resource
where
    G: Handler<A>,
    A: FromRequest + 'static,
    G::Output: Responder + 'static,
    P: Handler<B>,
    B: FromRequest + 'static,
    P::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(read.clone()))
        .route(web::head().to(read))
        .route(web::post().to(write))
        .default_service(web::to(|| method_not_allowed("GET, HEAD, POST")))
}
