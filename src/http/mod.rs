//! The HTTP server: the callback listener for Twilio, and the admin listener for people and programs.

mod access;
pub mod admin;
pub mod auth;
mod body;
mod callbacks;
mod compression;
mod connection;
mod drain;
mod error;
mod limits;
mod pages;
mod query;
mod reloads;
mod resource;
mod response;
mod send_problem;
mod stream;
mod workers;

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web;

pub use self::access::recorder::AccessRecorder;
pub use self::admin::checks::health_checks::{HealthChecks, RunChecks};
pub use self::admin::messages::find::limit::Lookups;
pub use self::admin::messages::sender::{Sender, SendingAccount};
pub use self::admin::metrics::registry::MetricsRegistry;
pub use self::admin::quarantine::recheck::QuarantineRecheck;
pub use self::admin::state::AdminState;
pub use self::callbacks::CallbackState;
pub use self::drain::Drain;
pub use self::limits::{EventStreams, Limit};
pub use self::reloads::KeyReloadMetrics;
use self::workers::Workers;

/// How long idle connections are kept. Proxies keep them for at most 60 s, so that the server never
/// closes one that a proxy is about to use.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long the head of a request may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections of the callback listener, over all workers. Each has at most one callback in flight, so
/// this bounds their memory and how long one callback waits for the others: a quarter of a second on
/// two cores. More connections wait to be accepted. By default, Twilio retries if it cannot connect,
/// but not after a 503.
const CONNECTIONS_MAX: usize = 8192;

/// How long finished responses may take to leave once no request is in flight.
const FLUSH_SECONDS: u64 = 1;

/// How long event streams may take to end at shutdown.
const STREAMS_TIMEOUT: Duration = Duration::from_secs(1);

/// How long requests in flight may take at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(6);

/// Serves both listeners until `stop` resolves, then answers the requests in flight and returns. Idle
/// connections do not delay this.
pub async fn run(
    callbacks: TcpListener,
    admin: TcpListener,
    receiving: CallbackState,
    state: AdminState,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (drain, streams) = (Drain::default(), state.streams.clone());
    let stop_sending = state.sending.as_ref().map(Sender::stop_flag);
    let workers = Workers::default();
    let threads = std::thread::available_parallelism()?.get();
    let receiving = web::Data::new(receiving);
    let callbacks =
        callbacks::listener::serve(callbacks, receiving, drain.clone(), &workers, threads)?;
    let admin = admin::serve(admin, state, drain.clone(), &workers)?;
    let handles = [callbacks.handle(), admin.handle()];
    let mut both = actix_web::rt::spawn(async move { tokio::try_join!(callbacks, admin) });
    tokio::select! {
        () = stop => {}
        ended = &mut both => {
            ended.map_err(io::Error::other)??;
            return Err(io::Error::other("the listeners have ended by themselves"));
        }
        reason = workers.trouble(threads + admin::THREADS) => return Err(io::Error::other(reason)),
    }
    stop_sending.inspect(|stop| stop.store(true, Ordering::Relaxed));
    end(&handles, &drain, &streams).await;
    both.await.map_err(io::Error::other)?.map(|_| ())
}

async fn end(handles: &[ServerHandle], drain: &Drain, streams: &EventStreams) {
    for handle in handles {
        handle.pause().await;
    }
    drain.begin();
    // An answer that never ends is no request in flight.
    streams.stop();
    drain.finished(DRAIN_TIMEOUT).await;
    streams.finished(STREAMS_TIMEOUT).await;
    for handle in handles {
        handle.stop(true).await;
    }
}
