//! `GET /v1/events/stream`: follows the log with Server-Sent Events, each an event as JSON.

use std::ops::ControlFlow;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::domain::{Position, RecordedEvent};
use crate::http::access::returned::Returned;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response::Failures;
use crate::http::stream::follow::{self, Page, Pages};
use crate::http::stream::sse::Event;
use crate::store::StoreError;
use crate::wire::parameters;

/// The size of a page: reading it takes a few milliseconds.
const PAGE_EVENTS: usize = 256;
const PAGE_BYTES: usize = 256 << 10;

/// Where a new stream begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct StreamParameters {
    /// The position before the first; without it, the head
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>, minimum = 0)]
    pub after: Option<Position>,
}

/// Where an interrupted stream continues.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "`follow::first` reads the header")]
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
    let after = follow::first(&request, after, state.projection.head())?;
    follow::follow(&request, &state, returned, after, Events(redaction))
}

/// Events as JSON.
struct Events(Redaction);

impl Pages for Events {
    const PAUSE: Duration = Duration::ZERO;

    fn next_page(
        &mut self,
        state: &AdminState,
        after: Position,
        head: Position,
    ) -> Result<Page, Problem> {
        let Self(redaction) = *self;
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
        let Some(last) = events.last().map(|event| event.position) else {
            return Err(StoreError::NoSuchEvent { position: after + 1 }.into());
        };
        let message = |event: RecordedEvent| {
            let position = event.position;
            let json = serde_json::to_string(&redaction.event(event)).expect("an event is JSON");
            (Event::new(json).with_id(position), 1)
        };
        Ok(Page { events: events.into_iter().map(message).collect(), last })
    }
}
