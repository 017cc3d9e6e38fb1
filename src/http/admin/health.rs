//! Health checks: `GET /healthz` (the process responds) and `GET /readyz` (the server is ready).

use std::ops::ControlFlow;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use time::OffsetDateTime;

use super::nodes::NodesJson;
use super::state::AdminState;
use crate::domain::event::is_simulated;
use crate::domain::{Position, Timestamp};
use crate::http::error::Problem;
use crate::http::response;
use crate::projection::message_query::TAIL_EVENTS_MAX;
use crate::projection::worker::Waiting;
use crate::seal::worker::Handle;
use crate::store::{StoreError, for_each_event};

/// The maximum lag of the projection of a ready server. Under full load it is a fraction of a second.
const READY_LAG_SECONDS_MAX: f64 = 5.0;

/// Whether the server is ready, with the figures that decide it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Readiness {
    ready: bool,
    head: Position,
    checkpoint: Position,
    /// How long the oldest event that is not projected has been waiting.
    lag_seconds: f64,
    /// True if every event in the log was sent by a simulation; missing if not, or if that is not known
    /// now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    only_simulated: Option<bool>,
    /// The result of the last background verification, on which `ready` does not depend.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Verified>,
    /// The nodes of the ledger, on which `ready` does not depend; missing if it has one server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    nodes: Option<NodesJson>,
    /// Why the server is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Readiness {
    /// True if the log is written and the views are close to its head.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Why the server is not ready; `None` if it is.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The last position of the log.
    pub fn head(&self) -> Position {
        self.head
    }

    /// How long the oldest event that is not projected has been waiting.
    pub fn lag_seconds(&self) -> f64 {
        self.lag_seconds
    }
}

/// The result of the last verification in the background.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Verified {
    at: String,
    /// The position up to which the log was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    findings: usize,
    /// Why it was not read to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The process responds.
#[utoipa::path(get, path = "/healthz", tag = "state", security(()),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The writer accepts events and the projection has caught up.
#[utoipa::path(get, path = "/readyz", tag = "state", security(()),
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn readyz(state: web::Data<AdminState>) -> Result<HttpResponse, Problem> {
    let readiness = web::block(move || {
        let only_simulated = only_simulated(&state).unwrap_or(None).filter(|only| *only);
        let nodes = NodesJson::new(&state.lead);
        Readiness { only_simulated, nodes, ..current_readiness(&state) }
    });
    let readiness = readiness.await?;
    let response = match readiness.ready {
        true => HttpResponse::Ok(),
        false => HttpResponse::ServiceUnavailable(),
    };
    response::json(response, &readiness)
}

/// The readiness of the server; an error is the reason why it is not ready.
pub fn current_readiness(state: &AdminState) -> Readiness {
    readiness(state).unwrap_or_else(|error| Readiness {
        ready: false,
        head: state.projection.head(),
        checkpoint: state.projection.projected(),
        lag_seconds: 0.0,
        only_simulated: None,
        verified: verified(state),
        nodes: None,
        reason: Some(error.to_string()),
    })
}

/// The readiness of the server, with the reason if it is not ready.
pub fn readiness(state: &AdminState) -> Result<Readiness, StoreError> {
    let checkpoint = state.projection.projected();
    let head = state.store.head()?;
    let (lag_seconds, unreadable) = match lag_seconds(state, checkpoint) {
        Err(error @ StoreError::Unreadable { .. }) => (0.0, Some(error.to_string())),
        lag => (lag?, None),
    };
    let poisoned = state.writer.poisoned().map(|reason| {
        format!("no callback is acknowledged until the log has been opened again: {reason}")
    });
    let held_up = state.writer.is_held_up().then(|| StoreError::Busy.to_string());
    let failed = state.projection.failed().map(|why| format!("projection stalled: {why}"));
    let behind = (lag_seconds > READY_LAG_SECONDS_MAX)
        .then(|| format!("the projection is {} events behind", head.saturating_sub(checkpoint)));
    let starting = (!state.projection.is_aligned())
        .then(|| "it is not yet known whether the views are this log's".to_owned());
    let differs = state.sealing.as_ref().and_then(Handle::differs);
    let reason = poisoned.or(held_up).or(failed).or(unreadable).or(behind).or(starting).or(differs);
    let verified = verified(state);
    Ok(Readiness {
        ready: reason.is_none(),
        head,
        checkpoint,
        lag_seconds,
        only_simulated: None,
        verified,
        nodes: None,
        reason,
    })
}

/// True if every event up to the head was sent by a simulation, according to the views and to the
/// events after their checkpoint. `None` if the views belong to another log or are far behind.
fn only_simulated(state: &AdminState) -> Result<Option<bool>, StoreError> {
    if !state.projection.is_aligned() {
        return Ok(None);
    }
    let checkpoint = state.store.views().checkpoint()?;
    if checkpoint.first_real != 0 {
        return Ok(Some(false));
    }
    if state.store.head()?.saturating_sub(checkpoint.position) > TAIL_EVENTS_MAX {
        return Ok(None);
    }
    let mut simulated = true;
    for_each_event(&*state.store, checkpoint.position + 1.., &mut |event| {
        simulated = is_simulated(event);
        if simulated { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(Some(simulated))
}

fn verified(state: &AdminState) -> Option<Verified> {
    let round = state.verifying.as_ref()?.last_run()?;
    let (at, findings) = (round.ended_at.to_string(), round.findings.len());
    let (position, error) = match round.reached {
        Ok(position) => (Some(position), None),
        Err(error) => (None, Some(error)),
    };
    Some(Verified { at, position, findings, error })
}

/// The time, in seconds, for which the oldest unprojected event has been waiting. Its time of receipt is
/// only used if the projection has not measured the wait, because the clock may have been set.
pub fn lag_seconds(state: &AdminState, checkpoint: Position) -> Result<f64, StoreError> {
    let Some(first) = state.store.read(checkpoint, 1)?.into_iter().next() else { return Ok(0.0) };
    Ok(match state.projection.waiting() {
        Waiting::Nothing => 0.0,
        Waiting::Since(moment) => moment.elapsed().as_secs_f64(),
        Waiting::Unknown => {
            let now = Timestamp::from(OffsetDateTime::now_utc());
            (now.micros() - first.received_at.micros()).max(0) as f64 / 1e6
        }
    })
}
