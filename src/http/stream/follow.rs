//! Responses that follow the log as it grows, as Server-Sent Events: `GET /v1/events/stream`, and the stream of
//! the page Live.
//!
//! Each client has a task that reads the log in short pages, and a bounded channel to its connection.
//! A client that does not read is disconnected; with `Last-Event-ID` it can resume.

use std::time::Duration;

use actix_web::http::{ConnectionType, Method};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, rt, web};
use tokio::sync::mpsc::{self, Sender};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::sse::{self, Event};
use crate::domain::Position;
use crate::http::access::returned::Returned;
use crate::http::admin::state::AdminState;
use crate::http::auth::identity::Credentials;
use crate::http::auth::tokens::Scope;
use crate::http::connection::Connection;
use crate::http::error::Problem;
use crate::http::limits::StreamPermit;
use crate::http::query;

/// The interval of comments while there is no event: proxies close connections that are silent for a
/// minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a disconnected client waits before it reconnects.
const RETRY: Duration = Duration::from_secs(1);

/// Server-Sent Events that wait for one client, in addition to the socket's buffer.
const BUFFER_EVENTS: usize = 16;

/// The time without progress after which a client is disconnected.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that sent events have to be flushed before the connection is closed.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// How often the access of a client is checked while there is no event: a session that has ended sees nothing
/// that arrives later than this.
const ACCESS_CHECK: Duration = Duration::from_secs(15);

/// The content of a stream.
pub trait Pages: Send + 'static {
    /// The wait between two pages.
    const PAUSE: Duration;

    /// The Server-Sent Events for the next part of the log, which has grown to `head`. Blocks.
    fn next_page(
        &mut self,
        state: &AdminState,
        after: Position,
        head: Position,
    ) -> Result<Page, Problem>;
}

/// A part of a stream.
pub struct Page {
    /// Each with the number of rows that it shows.
    pub events: Vec<(Event, usize)>,
    /// The position after which the next page begins.
    pub last: Position,
}

/// The response that follows the log after a position.
pub fn follow(
    request: &HttpRequest,
    state: &web::Data<AdminState>,
    returned: Returned,
    after: Position,
    pages: impl Pages,
) -> Result<HttpResponse, Problem> {
    let (sender, events) = mpsc::channel(BUFFER_EVENTS);
    if request.method() != Method::HEAD {
        let follower = Follower {
            stream: state.streams.open()?,
            heads: state.projection.watch_head(),
            connection: Connection::from_request(request),
            credentials: Credentials::from_request(request),
            scope: *request.extensions().get::<Scope>().ok_or(Problem::Internal)?,
            state: state.clone(),
            returned,
            after,
            sender,
        };
        rt::spawn(follower.run(pages));
    }
    let mut response = sse::response(events, KEEP_ALIVE, RETRY);
    // The stream is the last response on its connection.
    response.head_mut().set_connection_type(ConnectionType::Close);
    Ok(response)
}

/// The position after which a stream begins: that of the client's last event, otherwise the one in the
/// query, otherwise the head. A browser that reconnects sends both.
pub fn first(
    request: &HttpRequest,
    after: Option<Position>,
    head: Position,
) -> Result<Position, Problem> {
    let last_id = request.headers().get("last-event-id");
    let last_id = last_id.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let (name, position) = match (last_id.as_deref().filter(|id| !id.is_empty()), after) {
        (Some(id), _) => ("Last-Event-ID", query::position("Last-Event-ID", id)?),
        (None, Some(after)) => ("after", after),
        (None, None) => return Ok(head),
    };
    match position <= head {
        true => Ok(position),
        false => Err(Problem::Conflict(format!(
            "{name} `{position}` is beyond the head, {head}; is it of another ledger?"
        ))),
    }
}

/// Sends the log to one client.
struct Follower {
    /// Held until the connection is closed.
    stream: StreamPermit,
    heads: watch::Receiver<Position>,
    connection: Option<Connection>,
    credentials: Credentials,
    /// What the credentials allowed when the stream began.
    scope: Scope,
    state: web::Data<AdminState>,
    returned: Returned,
    after: Position,
    sender: Sender<Event>,
}

/// The reason a stream ended.
enum End {
    /// The client has disconnected.
    Gone,
    /// The client reads too slowly.
    Stalled,
    /// The client's session or token has ended, or allows something else now.
    NotAllowed,
    /// The server is shutting down.
    Stopping,
    Failed(Problem),
}

impl Follower {
    async fn run(mut self, pages: impl Pages) {
        let mut stopping = self.stream.stop_signal();
        let end = tokio::select! {
            end = self.send_all(pages) => end,
            () = stopping.received() => End::Stopping,
        };
        // Ends the response.
        drop(self.sender);
        match end {
            End::Gone => return,
            End::Stalled => {
                tracing::info!("a reader of the event stream was too slow and is disconnected");
            }
            End::Stopping | End::NotAllowed => sleep(FLUSH_TIMEOUT).await,
            End::Failed(problem) => {
                tracing::error!("the event stream ends: {problem}");
                sleep(FLUSH_TIMEOUT).await;
            }
        }
        self.connection.iter().for_each(Connection::cut);
    }

    async fn send_all<P: Pages>(&mut self, mut pages: P) -> End {
        loop {
            if !self.is_still_allowed() {
                return End::NotAllowed;
            }
            let head = *self.heads.borrow_and_update();
            if self.after < head {
                pages = match self.send_page(pages, head).await {
                    Ok(pages) => pages,
                    Err(end) => return end,
                };
                if !P::PAUSE.is_zero() {
                    tokio::select! {
                        () = sleep(P::PAUSE) => {}
                        () = self.sender.closed() => return End::Gone,
                    }
                }
                continue;
            }
            tokio::select! {
                moved = self.heads.changed() => if moved.is_err() { return End::Stopping },
                () = self.sender.closed() => return End::Gone,
                () = sleep(ACCESS_CHECK) => {}
            }
        }
    }

    async fn send_page<P: Pages>(&mut self, mut pages: P, head: Position) -> Result<P, End> {
        let (state, after) = (self.state.clone(), self.after);
        let read = web::block(move || {
            let page = pages.next_page(&state, after, head);
            (pages, page)
        });
        let (pages, page) = read.await.map_err(|_| End::Failed(Problem::Internal))?;
        let Page { events, last } = page.map_err(End::Failed)?;
        for (event, rows) in events {
            match timeout(STALL_TIMEOUT, self.sender.send(event)).await {
                Ok(Ok(())) => self.returned.add(rows),
                Ok(Err(_)) => return Err(End::Gone),
                Err(_) => return Err(End::Stalled),
            }
        }
        self.after = last;
        Ok(pages)
    }

    fn is_still_allowed(&self) -> bool {
        self.credentials.scope(&self.state) == Some(self.scope)
    }
}
