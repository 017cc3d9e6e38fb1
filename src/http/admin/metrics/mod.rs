//! `GET /metrics`, for Prometheus.

pub mod registry;

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use prometheus::TEXT_FORMAT;
use time::OffsetDateTime;

use crate::domain::Timestamp;
use crate::http::admin::health::{lag_seconds, readiness};
use crate::http::admin::state::AdminState;
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::Failures;
use crate::report::stuck::Stuck;
use crate::store::Sizes;
use crate::store::StoreError;
use crate::store::nodes::{Seen, Standby};

/// The maximum age of the count of stuck messages, because counting them reads every rollup.
const STUCK_COUNT_AGE_MAX: Duration = Duration::from_secs(60);

/// The metrics of this process and its ledger, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "state",
    responses((status = 200, body = String, content_type = "text/plain"), Failures))]
pub async fn metrics(
    state: web::Data<AdminState>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let text = web::block(move || text(&state));
    Ok(HttpResponse::Ok().content_type(TEXT_FORMAT).body(text.await??))
}

/// The metrics in Prometheus' text format, with current values. Blocks.
pub fn text(state: &AdminState) -> Result<String, Problem> {
    set_gauges(state);
    state.metrics.encode()
}

/// Sets the gauges. A gauge whose value cannot be read keeps its last value, so that the others are
/// still reported.
fn set_gauges(state: &AdminState) {
    set_projection(state);
    if let Ok(sizes) = state.store.sizes() {
        set_sizes(state, &sizes);
    }
    set_verification(state);
    set_nodes(state);
    if let Some(sealing) = &state.sealing {
        sealing.measure();
    }
    if let Some(checks) = &state.checks {
        let seconds = |at: Timestamp| at.micros() as f64 / 1e6;
        state.metrics.backup_at.set(checks.last_backup().map_or(0.0, seconds));
    }
}

fn set_projection(state: &AdminState) {
    let metrics = &state.metrics;
    let checkpoint = state.projection.projected();
    let head = state.projection.head();
    metrics.head.set(gauge(head));
    metrics.checkpoint.set(gauge(checkpoint));
    metrics.lag_events.set(gauge(head.saturating_sub(checkpoint)));
    // The age of an event that cannot be read is unknown; it also makes the server not ready.
    metrics.lag_seconds.set(lag_seconds(state, checkpoint).unwrap_or(0.0));
    metrics.ready.set(readiness(state).is_ok_and(|readiness| readiness.is_ready()).into());
    // Views that have not been checked may belong to another log.
    if state.projection.is_aligned() {
        let _unreadable = count_stuck(state);
    }
}

fn count_stuck(state: &AdminState) -> Result<(), StoreError> {
    let metrics = &state.metrics;
    let mut counted = metrics.stuck_counted.lock().unwrap_or_else(PoisonError::into_inner);
    if counted.is_some_and(|moment| moment.elapsed() < STUCK_COUNT_AGE_MAX) {
        return Ok(());
    }
    let now = Timestamp::from(OffsetDateTime::now_utc());
    let Stuck { all, recent } = Stuck::count(state.store.views(), now)?;
    metrics.stuck.set(all);
    metrics.stuck_recent.set(recent);
    *counted = Some(Instant::now());
    Ok(())
}

fn set_sizes(state: &AdminState, sizes: &Sizes) {
    let Sizes { log, log_wal, views, views_wal, disk_free } = *sizes;
    let known = [
        ("log", Some(log)),
        ("log_wal", log_wal),
        ("views", Some(views)),
        ("views_wal", views_wal),
    ];
    for (file, bytes) in known.iter().filter_map(|(file, bytes)| Some((file, (*bytes)?))) {
        state.metrics.files.with_label_values(&[file]).set(gauge(bytes));
    }
    if let Some(disk_free) = disk_free {
        state.metrics.disk_free.with_label_values::<&str>(&[]).set(gauge(disk_free));
    }
}

fn set_nodes(state: &AdminState) {
    let metrics = &state.metrics;
    metrics.leads.set(state.lead.is_held().into());
    let Some(Seen { running, replication }) = state.lead.seen() else {
        metrics.nodes.reset();
        metrics.synchronous_standbys.reset();
        return;
    };
    metrics.nodes.with_label_values::<&str>(&[]).set(running.len() as i64);
    let confirms =
        |standby: &&Standby| replication.is_synchronous && standby.is_synchronous == Some(true);
    let count = replication.standbys.iter().filter(confirms).count() as i64;
    let is_known = replication.standbys.iter().all(|standby| standby.is_synchronous.is_some());
    match is_known {
        true => metrics.synchronous_standbys.with_label_values::<&str>(&[]).set(count),
        false => metrics.synchronous_standbys.reset(),
    }
}

fn set_verification(state: &AdminState) {
    let Some(run) = state.verifying.as_ref().and_then(|verifying| verifying.last_run()) else {
        return;
    };
    let metrics = &state.metrics;
    metrics.verified_at.set(run.ended_at.micros() as f64 / 1e6);
    metrics.verify_findings.set(run.findings.len() as i64);
    metrics.verify_failed.set(run.reached.is_err().into());
    if let Ok(position) = run.reached {
        metrics.verified_position.set(gauge(position));
    }
}

/// Positions and bytes are far below the largest value of a gauge.
fn gauge(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
