//! `GET /v1/checks`: what `doctor` finds, in the running server.

pub mod health_checks;

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use crate::checks::report::{CheckReport, ChecksJson};
use crate::checks::server::metrics_text::Metrics;
use crate::checks::server::running_server::RunningServer;
use crate::http::admin::health::current_readiness;
use crate::http::admin::metrics;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::{self, Failures};

/// The checks of configuration, files, ledger and server, as `doctor` makes them.
#[utoipa::path(get, path = "/v1/checks", operation_id = "checks", tag = "state",
    responses((status = 200, body = ChecksJson), Failures))]
pub async fn checks(
    state: web::Data<AdminState>,
    _: Redaction,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let report = web::block(move || report(&state)).await??;
    response::json(HttpResponse::Ok(), &ChecksJson::from(&*report))
}

/// The findings of the checks, which are at most two seconds old. Blocks.
pub fn report(state: &AdminState) -> Result<Arc<CheckReport>, Problem> {
    let none = || Problem::NotFound("this server makes no checks".to_owned());
    Ok(state.checks.as_ref().ok_or_else(none)?.current(|| running_server(state)))
}

/// This server, as `doctor` would find it over HTTP.
fn running_server(state: &AdminState) -> RunningServer {
    let readiness = current_readiness(state);
    let code = if readiness.is_ready() { 200 } else { 503 };
    let ready = serde_json::to_value(&readiness).ok().map(|json| (code, json));
    let metrics = metrics::text(state).ok().map(Metrics::new);
    RunningServer { ready, metrics, is_held: true, ..RunningServer::default() }
}
