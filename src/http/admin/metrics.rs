//! `GET /metrics`: what this process and its ledger measure, as Prometheus reads it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry, TEXT_FORMAT, TextEncoder};
use time::OffsetDateTime;

use super::health::{lag_seconds, readiness};
use super::openapi::Failures;
use crate::domain::Timestamp;
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::state::{Admin, Receiving};
use crate::projection::worker::Handle;
use crate::reconcile::metrics::ReconcileMetrics as Reconciling;
use crate::report::stuck::Stuck;
use crate::store::Sizes;
use crate::store::StoreError;

/// How old the count of stuck messages may be: it passes every cell of the roll-ups.
const STUCK_COUNT_AGE_MAX: Duration = Duration::from_secs(60);

/// Everything that is measured, and what is only looked at when somebody asks.
pub struct Metrics {
    registry: Registry,
    head: IntGauge,
    checkpoint: IntGauge,
    lag_events: IntGauge,
    lag_seconds: prometheus::Gauge,
    ready: IntGauge,
    files: IntGaugeVec,
    disk_free: IntGauge,
    stuck: IntGauge,
    stuck_recent: IntGauge,
    stuck_counted: Mutex<Option<Instant>>,
    verified_position: IntGauge,
    verified_at: prometheus::Gauge,
    verify_findings: IntGauge,
    verify_failed: IntGauge,
}

impl Metrics {
    /// What these measure.
    pub fn of(receiving: &Receiving, projection: &Handle, reconciling: &Reconciling) -> Self {
        Self::registered(receiving, projection, reconciling).expect("each has a name of its own")
    }

    fn registered(
        receiving: &Receiving,
        projection: &Handle,
        reconciling: &Reconciling,
    ) -> prometheus::Result<Self> {
        let registry = Registry::new();
        receiving.metrics.register(&registry)?;
        receiving.misdirected.register(&registry)?;
        reconciling.register(&registry)?;
        receiving.reloads.register(&registry)?;
        let writer = receiving.writer.metrics();
        registry.register(Box::new(writer.queued.clone()))?;
        registry.register(Box::new(writer.commit_events.clone()))?;
        registry.register(Box::new(writer.commit_seconds.clone()))?;
        let projected = projection.metrics();
        for counter in
            [&projected.duplicates, &projected.late, &projected.unrecognised, &projected.conflicts]
        {
            registry.register(Box::new(counter.clone()))?;
        }
        if let Some(keeper) = &receiving.keeper {
            keeper.metrics().register(&registry)?;
        }
        build_info(&registry)?;
        let whole = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("delivery_ledger_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let seconds = |name: &str, help: &str| {
            let gauge = prometheus::Gauge::new(format!("delivery_ledger_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let files = Opts::new("delivery_ledger_file_bytes", "The ledger's files.");
        let files = IntGaugeVec::new(files, &["file"])?;
        registry.register(Box::new(files.clone()))?;
        Ok(Self {
            head: whole("head_position", "The last position of the log.")?,
            checkpoint: whole("checkpoint_position", "Up to where the views have read.")?,
            lag_events: whole("projection_lag_events", "Events that are not in the views yet.")?,
            lag_seconds: seconds(
                "projection_lag_seconds",
                "How long the oldest event that is not in the views has been waiting.",
            )?,
            ready: whole("ready", "1 where /readyz says so, else 0.")?,
            disk_free: whole("disk_free_bytes", "What may still be written where the log lies.")?,
            stuck: whole(
                "stuck_messages",
                "Outbound messages not settled that began over 12 hours ago, by whole hours.",
            )?,
            stuck_recent: whole(
                "stuck_recent_messages",
                "Those of them that began less than 72 hours ago, and may still change.",
            )?,
            verified_position: whole(
                "verified_position",
                "Up to where the log was last verified in the background.",
            )?,
            verified_at: seconds(
                "verified_timestamp_seconds",
                "When the last verification in the background ended; 0 before the first.",
            )?,
            verify_findings: whole("verify_findings", "What it found wrong.")?,
            verify_failed: whole("verify_failed", "1 where it did not get to its end, else 0.")?,
            files,
            stuck_counted: Mutex::new(None),
            registry,
        })
    }

    /// The text, with what is only looked at when somebody asks.
    ///
    /// What cannot be looked at keeps its last value; the rest is wanted all the more.
    fn text(&self, state: &Admin) -> Result<String, Problem> {
        self.look_at_the_projection(state);
        if let Ok(sizes) = state.store.sizes() {
            self.look_at_the_disk(&sizes);
        }
        self.look_at_the_verification(state);
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(|_| Problem::Internal)
    }

    fn look_at_the_projection(&self, state: &Admin) {
        let checkpoint = state.projection.projected();
        let head = state.projection.head();
        self.head.set(whole(head));
        self.checkpoint.set(whole(checkpoint));
        self.lag_events.set(whole(head.saturating_sub(checkpoint)));
        // An event that cannot be read keeps the server from being ready; its age is not known.
        self.lag_seconds.set(lag_seconds(state, checkpoint).unwrap_or(0.0));
        self.ready.set(readiness(state).is_ok_and(|readiness| readiness.is_ready()).into());
        // Views that are not aligned are perhaps another log's.
        if state.projection.is_aligned() {
            let _unreadable = self.count_stuck(state);
        }
    }

    fn count_stuck(&self, state: &Admin) -> Result<(), StoreError> {
        let mut counted = self.stuck_counted.lock().unwrap_or_else(|lock| lock.into_inner());
        if counted.is_some_and(|moment| moment.elapsed() < STUCK_COUNT_AGE_MAX) {
            return Ok(());
        }
        let now = Timestamp::from(OffsetDateTime::now_utc());
        let Stuck { all, recent } = Stuck::count(state.store.views(), now)?;
        self.stuck.set(all);
        self.stuck_recent.set(recent);
        *counted = Some(Instant::now());
        Ok(())
    }

    fn look_at_the_disk(&self, sizes: &Sizes) {
        let Sizes { log, log_wal, views, views_wal, disk_free } = *sizes;
        for (file, bytes) in
            [("log", log), ("log_wal", log_wal), ("views", views), ("views_wal", views_wal)]
        {
            self.files.with_label_values(&[file]).set(whole(bytes));
        }
        self.disk_free.set(whole(disk_free));
    }

    fn look_at_the_verification(&self, state: &Admin) {
        let Some(round) = state.verifying.as_ref().and_then(|verifying| verifying.last_run())
        else {
            return;
        };
        self.verified_at.set(round.ended_at.micros() as f64 / 1e6);
        self.verify_findings.set(round.findings.len() as i64);
        self.verify_failed.set(round.reached.is_err().into());
        if let Ok(position) = round.reached {
            self.verified_position.set(whole(position));
        }
    }
}

/// What this process and its ledger measure, as Prometheus reads it.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "state",
    responses((status = 200, body = String, content_type = "text/plain"), Failures))]
pub async fn metrics(
    state: web::Data<Admin>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let text = web::block(move || state.metrics.text(&state)).await??;
    Ok(HttpResponse::Ok().content_type(TEXT_FORMAT).body(text))
}

fn build_info(registry: &Registry) -> prometheus::Result<()> {
    let opts = Opts::new("delivery_ledger_build_info", "1, of this version.");
    let info = IntGauge::with_opts(opts.const_label("version", env!("CARGO_PKG_VERSION")))?;
    info.set(1);
    registry.register(Box::new(info))
}

/// Positions and bytes are far below what a gauge can hold.
fn whole(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
