//! The admin listener: its endpoints, one file per resource.

pub mod checks;
mod docs;
pub mod events;
pub mod exports;
pub mod health;
pub mod jobs;
pub mod messages;
pub mod metrics;
pub mod nodes;
pub mod openapi;
pub mod quarantine;
pub mod reports;
mod routes;
pub mod seals;
pub mod state;
pub mod targets;
mod tree;

use std::io;
use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use self::state::AdminState;
use super::auth::middleware;
use super::drain::{self, Drain};
use super::workers::Workers;
use super::{
    FLUSH_SECONDS, HEAD_TIMEOUT, KEEP_ALIVE, access, compression, connection, error, pages,
};

/// The number of threads for handlers; slow work runs on other threads.
pub const THREADS: usize = 1;

/// Serves the admin listener.
pub fn serve(
    listener: TcpListener,
    state: AdminState,
    drain: Drain,
    alive: &Workers,
) -> io::Result<Server> {
    let state = web::Data::new(state);
    let alive = alive.clone();
    let server = HttpServer::new(move || {
        alive.join();
        App::new()
            .wrap(from_fn(middleware::guard))
            .wrap(from_fn(pages::error::show_as_page))
            .wrap(from_fn(pages::restrict))
            .wrap(from_fn(access::middleware::record))
            .wrap(from_fn(drain::count))
            .wrap(from_fn(compression::compress))
            .app_data(state.clone())
            .app_data(web::Data::new(drain.of_worker()))
            .app_data(web::PathConfig::default().error_handler(error::unreadable_path))
            .configure(routes::admin)
            .default_service(web::to(error::no_such_path))
    });
    let server = server
        .workers(THREADS)
        .on_connect(connection::remember)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(FLUSH_SECONDS)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}
