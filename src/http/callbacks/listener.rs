//! The callback server. It inspects the bytes of its connections on their way to the HTTP library, so
//! that every signed request is counted, and none is parsed differently from how it was written.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::ready;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpMessage, ResponseError, web};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::rejection::{OriginalTarget, reject};
use super::request_heads::{HeadError, HeadReader, RequestHead};
use super::routes;
use super::state::CallbackState;
use crate::http::drain::{Drain, WorkerDrain};
use crate::http::error::Problem;
use crate::http::workers::Workers;
use crate::http::{CONNECTIONS_MAX, FLUSH_SECONDS, HEAD_TIMEOUT, KEEP_ALIVE};

/// How long a connection may take to close after we have closed our side; the library's own default.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The reason logged for a signed request that the library rejected, or whose head is incomplete.
const UNREADABLE: &str = "signed, but its head is malformed HTTP, or did not arrive completely";

/// Serves callbacks on a socket, with `workers` threads.
pub fn serve(
    listener: TcpListener,
    state: web::Data<CallbackState>,
    drain: Drain,
    alive: &Workers,
    workers: usize,
) -> io::Result<Server> {
    let alive = alive.clone();
    let address = listener.local_addr()?;
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(CONNECTIONS_MAX.div_ceil(workers))
        .shutdown_timeout(FLUSH_SECONDS)
        .disable_signals();
    let ending = builder.graceful_shutdown_signal();
    let builder = builder.listen("callbacks", listener, move || {
        alive.join();
        let (state, ending) = (state.clone(), ending.clone());
        let app = App::new()
            .wrap(from_fn(count_and_check))
            .app_data(state.clone())
            .app_data(web::Data::new(drain.of_worker()))
            .configure(routes::callbacks);
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let ending = ending.clone();
                async move { ending.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .local_addr(address)
            .on_connect_ext(|connection: &InspectedConnection, data| {
                data.insert(connection.pending.clone());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            ready(Ok::<_, DispatchError>((InspectedConnection::new(stream, state.clone()), peer)))
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}

/// Heads that were read, in order, but whose requests the library has not passed on yet.
#[derive(Clone, Default)]
struct PendingHeads(Rc<RefCell<VecDeque<RequestHead>>>);

/// A connection that inspects request heads on their way from the socket to the library.
struct InspectedConnection {
    stream: TcpStream,
    heads: HeadReader,
    pending: PendingHeads,
    state: web::Data<CallbackState>,
}

impl InspectedConnection {
    fn new(stream: TcpStream, state: web::Data<CallbackState>) -> Self {
        Self { stream, heads: HeadReader::default(), pending: PendingHeads::default(), state }
    }
}

/// Counts a request until it is answered. One layer does both, because each takes an allocation.
async fn count_and_check(
    drain: web::Data<WorkerDrain>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    drain.count(check_head(request, next)).await
}

/// Rejects a request whose head is malformed, even though the library could read it.
async fn check_head(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let head =
        request.conn_data::<PendingHeads>().and_then(|pending| pending.0.borrow_mut().pop_front());
    let Some(HeadError { reason, target }) = head.and_then(|head| head.error) else {
        return next.call(request).await;
    };
    let (request, payload) = request.into_parts();
    if let Some(target) = target {
        request.extensions_mut().insert(OriginalTarget(target));
    }
    Err(reject(&request, payload, Problem::NotHttp(reason)).await.into())
}

/// Counts the signed requests that the library rejected on its own: those that it has not passed on by
/// the time the connection ends.
impl Drop for InspectedConnection {
    fn drop(&mut self) {
        let pending = self.pending.0.borrow();
        let rejected = pending.iter().filter(|head| head.is_signed).count();
        for _ in 0..rejected + usize::from(self.heads.is_in_signed_head()) {
            let problem = Problem::NotHttp(UNREADABLE);
            self.state.metrics.refused(&problem);
            self.state.rejection_log.write(problem.status_code().as_u16(), UNREADABLE);
        }
    }
}

impl AsyncRead for InspectedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let new = &mut buffer.filled_mut()[before..];
        this.heads.read(new, &mut |head| this.pending.0.borrow_mut().push_back(head));
        read
    }
}

impl AsyncWrite for InspectedConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
