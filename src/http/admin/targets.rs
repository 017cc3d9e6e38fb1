//! `GET /v1/targets`: how far each target of forwarding has got.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::state::{AdminState, Forwarding};
use crate::domain::Timestamp;
use crate::forward::status::TargetStatus;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::{self, Failures};
use crate::store;
use crate::wire;

/// The targets of forwarding.
#[derive(Serialize, ToSchema)]
pub struct Targets {
    /// Each target that is configured, or has been, by name.
    data: Vec<wire::forward::TargetStatus>,
}

/// How far each target of forwarding has got: those that are configured, and those that were.
#[utoipa::path(get, path = "/v1/targets", operation_id = "targets", tag = "state",
    responses((status = 200, body = Targets), Failures))]
pub async fn targets(
    state: web::Data<AdminState>,
    _: Redaction,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let statuses = web::block(move || statuses(&state)).await??;
    let data = statuses.iter().map(TargetStatus::as_json).collect();
    response::json(HttpResponse::Ok(), &Targets { data })
}

/// The status of each target. Blocks.
pub fn statuses(state: &AdminState) -> Result<Vec<TargetStatus>, Problem> {
    let Forwarding { database, targets } = &state.forwarding;
    let stored = store::read_forward_store(database)?;
    let now = Timestamp::from(OffsetDateTime::now_utc());
    Ok(TargetStatus::read_all(&*state.store, stored.as_deref(), targets, now)?)
}
