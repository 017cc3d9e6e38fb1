//! `GET /v1/events/stream`: follows the log with Server-Sent Events.
//!
//! Each client has a task that reads the log in short pages, and a bounded channel to its connection.
//! A client that does not read is disconnected; with `Last-Event-ID` it can resume.

use std::ops::ControlFlow;
use std::time::Duration;

use actix_web::http::{ConnectionType, Method};
use actix_web::{HttpRequest, HttpResponse, Responder, rt, web};
use actix_web_lab::sse::{Data, Event, Sse};
use serde::Deserialize;
use tokio::sync::mpsc::{self, Sender};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use utoipa::IntoParams;

use super::state::AdminState;
use crate::domain::{Position, RecordedEvent};
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::connection::Connection;
use crate::http::error::Problem;
use crate::http::limits::StreamPermit;
use crate::http::query::{self, Query};
use crate::http::response::Failures;
use crate::store::StoreError;
use crate::wire::parameters;

/// The interval of comments while there is no event: proxies close connections that are silent for a
/// minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a disconnected client waits before it reconnects.
const RETRY: Duration = Duration::from_secs(1);

/// Events that wait for one client, in addition to the socket's buffer.
const BUFFER_EVENTS: usize = 16;

/// The time without progress after which a client is disconnected.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The size of a page: reading it takes a few milliseconds.
const PAGE_EVENTS: usize = 256;
const PAGE_BYTES: usize = 256 << 10;

/// The time that sent events have to be flushed before the connection is closed.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// Where a new stream begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct StreamParameters {
    /// The position before the first; without it, the head
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>, minimum = 0)]
    after: Option<Position>,
}

/// Where an interrupted stream continues.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "`first` reads the header")]
pub struct ReaderParameters {
    /// The position of the last event that the reader had
    #[param(rename = "Last-Event-ID", nullable = false, pattern = "^[0-9]{0,18}$")]
    last_event_id: Option<String>,
}

/// The events after a position, including those still to come.
#[utoipa::path(get, path = "/v1/events/stream", operation_id = "event_stream", tag = "events",
    params(StreamParameters, ReaderParameters),
    responses(
        (status = 200, description = "Events, each with its position as `id` and as JSON in `data`",
            body = serde_json::Value, content_type = "text/event-stream"),
        Failures))]
pub async fn follow(
    request: HttpRequest,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    Query(StreamParameters { after }, _): Query<StreamParameters>,
) -> Result<HttpResponse, Problem> {
    let after = first(&request, after, state.projection.head())?;
    let (sender, events) = mpsc::channel(BUFFER_EVENTS);
    if request.method() != Method::HEAD {
        let follower = Follower {
            stream: state.streams.open()?,
            heads: state.projection.watch_head(),
            connection: Connection::from_request(&request),
            state,
            redaction,
            returned,
            after,
            sender,
        };
        rt::spawn(follower.run());
    }
    let events = Sse::from_infallible_receiver(events);
    let events = events.with_keep_alive(KEEP_ALIVE).with_retry_duration(RETRY);
    let mut response = events.respond_to(&request);
    // The stream is the last response on its connection.
    response.head_mut().set_connection_type(ConnectionType::Close);
    Ok(response)
}

/// The position after which a stream begins: that of the client's last event, otherwise the one in the
/// query, otherwise the head. A browser that reconnects sends both.
fn first(
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
    state: web::Data<AdminState>,
    redaction: Redaction,
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
    /// The server is shutting down.
    Stopping,
    Failed(Problem),
}

impl Follower {
    async fn run(mut self) {
        let mut stopping = self.stream.stop_signal();
        let end = tokio::select! {
            end = self.send_all() => end,
            () = stopping.received() => End::Stopping,
        };
        // Ends the response.
        drop(self.sender);
        match end {
            End::Gone => return,
            End::Stalled => {
                tracing::info!("a reader of the event stream was too slow and is disconnected");
            }
            End::Stopping => sleep(FLUSH_TIMEOUT).await,
            End::Failed(problem) => {
                tracing::error!("the event stream ends: {problem}");
                sleep(FLUSH_TIMEOUT).await;
            }
        }
        self.connection.iter().for_each(Connection::cut);
    }

    async fn send_all(&mut self) -> End {
        loop {
            let head = *self.heads.borrow_and_update();
            while self.after < head {
                if let Err(end) = self.send_page(head).await {
                    return end;
                }
            }
            tokio::select! {
                moved = self.heads.changed() => if moved.is_err() { return End::Stopping },
                () = self.sender.closed() => return End::Gone,
            }
        }
    }

    async fn send_page(&mut self, head: Position) -> Result<(), End> {
        let (state, redaction, after) = (self.state.clone(), self.redaction, self.after);
        let page = web::block(move || page(&state, redaction, after, head)).await;
        let page =
            page.map_err(|_| Problem::Internal).and_then(|page| page.map_err(Problem::Store));
        for (position, event) in page.map_err(End::Failed)? {
            match timeout(STALL_TIMEOUT, self.sender.send(event)).await {
                Ok(Ok(())) => {
                    self.after = position;
                    self.returned.add(1);
                }
                Ok(Err(_)) => return Err(End::Gone),
                Err(_) => return Err(End::Stalled),
            }
        }
        Ok(())
    }
}

/// The next events after a position, up to the head.
fn page(
    state: &AdminState,
    redaction: Redaction,
    after: Position,
    head: Position,
) -> Result<Vec<(Position, Event)>, StoreError> {
    let limit = usize::try_from(head - after).unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS);
    let (mut events, mut bytes) = (Vec::new(), 0);
    state.store.scan(after, limit, &mut |event| {
        bytes += event.body.len() + event.url.len();
        events.push(event.clone());
        match bytes < PAGE_BYTES {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    if events.is_empty() {
        return Err(StoreError::NoSuchEvent { position: after + 1 });
    }
    let message = |event: RecordedEvent| {
        let position = event.position;
        let json = serde_json::to_string(&redaction.event(event)).expect("an event is JSON");
        (position, Data::new(json).id(position.to_string()).into())
    };
    Ok(events.into_iter().map(message).collect())
}
