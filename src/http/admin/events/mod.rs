//! `GET /v1/events`: pages of the log, one event, and the bytes of its body.

pub mod stream;

use actix_web::http::header::{CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::domain::event::filter::EventFilter;
use crate::domain::{Position, RecordedEvent};
use crate::http::access::returned::Returned;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::{self, NoParameters, PageLimit, Query};
use crate::http::response::{self, Failures};
use crate::store::StoreError;
use crate::twilio::callback::ParsedCallback;
use crate::wire;
use crate::wire::filter::events::EventParameters;
use crate::wire::parameters;

/// The maximum number of events that one page examines, so that no request reads the whole log.
const EXAMINED_MAX: u64 = 20_000;

/// Which page of the log.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct LogParameters {
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000, default = 100)]
    limit: PageLimit,
    /// The position before the first
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>, minimum = 0, default = 0)]
    after: Option<Position>,
}

/// A page of the log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EventPage)]
pub struct Page {
    data: Vec<wire::ShownEvent>,
    /// The `after` of the next page; `null` at the end of the log.
    next_cursor: Option<String>,
    /// The head when the page was read.
    as_of_position: Position,
}

/// The events after a position that match the filter, in order. A page may be short, or empty, and still
/// have a `next_cursor`: at most 20,000 events are examined for it.
#[utoipa::path(get, path = "/v1/events", operation_id = "events", tag = "events", params(LogParameters, EventParameters),
    responses((status = 200, body = Page), Failures))]
pub async fn page(
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    Query(parameters, filter): Query<LogParameters, EventParameters>,
) -> Result<HttpResponse, Problem> {
    let filter = redaction.check_event_filter(event_filter(filter, &state)?)?;
    let (after, limit) = (parameters.after.unwrap_or(0), parameters.limit.rows());
    let page = web::block(move || {
        let head = state.projection.head();
        let (events, last) = read(&state, &filter, after, head, limit)?;
        returned.add(events.len());
        Ok::<_, Problem>(Page {
            data: events.into_iter().map(|event| redaction.event(event)).collect(),
            next_cursor: (last < head).then(|| last.to_string()),
            as_of_position: head,
        })
    });
    response::json(HttpResponse::Ok(), &page.await??)
}

/// One event.
#[utoipa::path(get, path = "/v1/events/{position}", operation_id = "event", tag = "events",
    params(("position" = u64, Path, minimum = 1, description = "Its position in the log")),
    responses((status = 200, body = wire::ShownEvent), Failures))]
pub async fn one(
    position: web::Path<String>,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let event = web::block(move || at(&state, &position)).await??;
    returned.add(1);
    response::json(HttpResponse::Ok(), &redaction.event(event))
}

/// One event's body, as it came. A browser downloads it instead of showing it as a page of this server.
#[utoipa::path(get, path = "/v1/events/{position}/body", operation_id = "event_body", tag = "events",
    params(("position" = u64, Path, minimum = 1, description = "Its position in the log")),
    responses((status = 200, body = String, content_type = "application/octet-stream"),
              (status = 410, description = "It was erased", content_type = "application/problem+json"), Failures))]
pub async fn body(
    position: web::Path<String>,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    redaction.check_raw()?;
    let event = web::block(move || at(&state, &position)).await??;
    if let Some(erased) = event.erased {
        return Err(Problem::Erased(erased.erased_by));
    }
    returned.add(1);
    let name = format!("attachment; filename=\"event-{}.bin\"", event.position);
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_DISPOSITION, name));
    response.insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    Ok(response.content_type("application/octet-stream").body(event.event.body))
}

/// The filter that these parameters make.
pub fn event_filter(
    parameters: EventParameters,
    state: &AdminState,
) -> Result<EventFilter, Problem> {
    let filter = parameters.filter(&state.filter_context(), &state.account_names());
    filter.map_err(|bad| match bad.name == "account_sid" {
        true => Problem::from(bad),
        false => Problem::Conflict(bad.to_string()),
    })
}

/// The events after a position, up to the head, that match a filter, and the last position that was
/// examined. They are fewer than the limit if they are large, or rare. Events beyond the head may not be
/// durable yet.
fn read(
    state: &AdminState,
    filter: &EventFilter,
    after: Position,
    head: Position,
    limit: usize,
) -> Result<(Vec<RecordedEvent>, Position), StoreError> {
    let is_default = *filter == EventFilter::default();
    let (mut found, mut last) = (Vec::new(), after);
    while last < head && found.len() < limit && last - after < EXAMINED_MAX {
        let left = usize::try_from(head - last).unwrap_or(limit);
        let events = state.store.read(last, limit.min(left))?;
        let Some(end) = events.last().map(|event| event.position) else { break };
        last = end;
        for event in events {
            if is_default || filter.matches(ParsedCallback::parse(&event).with_event(&event)) {
                let position = event.position;
                found.push(event);
                if found.len() == limit {
                    last = position;
                    break;
                }
            }
        }
        if is_default {
            break;
        }
    }
    Ok((found, last))
}

fn at(state: &AdminState, position: &str) -> Result<RecordedEvent, Problem> {
    let position = query::position("position", position)?;
    let exists = (1..=state.projection.head()).contains(&position);
    let event = exists.then(|| state.store.read_at(&[position])).transpose()?;
    let event = event.and_then(|events| events.into_iter().next());
    event.ok_or_else(|| Problem::NotFound(StoreError::NoSuchEvent { position }.to_string()))
}
