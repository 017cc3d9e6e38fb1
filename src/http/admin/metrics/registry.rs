//! The registry of all Prometheus metrics, and the gauges that are set when they are read.

use std::sync::Mutex;
use std::time::Instant;

use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::access_log::AccessLogMetrics;
use crate::forward::metrics::ForwardMetrics;
use crate::http::callbacks::CallbackState;
use crate::http::error::Problem;
use crate::projection::worker::Handle;
use crate::reconcile::metrics::ReconcileMetrics;
use crate::seal::metrics::SealMetrics;
use crate::subaccounts::metrics::SubaccountMetrics;
use crate::version;

/// The registry. The gauges have to be set before it is encoded.
#[expect(missing_docs, reason = "the help texts of the metrics document them")]
pub struct MetricsRegistry {
    registry: Registry,
    pub head: IntGauge,
    pub checkpoint: IntGauge,
    pub lag_events: IntGauge,
    pub lag_seconds: Gauge,
    pub ready: IntGauge,
    pub files: IntGaugeVec,
    /// Without labels; it has no value where free space is not known.
    pub disk_free: IntGaugeVec,
    /// 1 if this server leads the nodes of the ledger, as an only server does.
    pub leads: IntGauge,
    /// Without labels; without a value on a ledger with one server, as the next.
    pub nodes: IntGaugeVec,
    pub synchronous_standbys: IntGaugeVec,
    pub stuck: IntGauge,
    pub stuck_recent: IntGauge,
    /// The time at which stuck messages were last counted.
    pub stuck_counted: Mutex<Option<Instant>>,
    pub verified_position: IntGauge,
    pub verified_at: Gauge,
    pub verify_findings: IntGauge,
    pub verify_failed: IntGauge,
    pub backup_at: Gauge,
}

impl MetricsRegistry {
    /// The metrics of the callback listener, the projection, reconciliation, subaccounts,
    /// forwarding and access records, and those of this file.
    pub fn new(
        receiving: &CallbackState,
        projection: &Handle,
        reconciling: &ReconcileMetrics,
        subaccounts: &SubaccountMetrics,
        forwarding: &ForwardMetrics,
        access: Option<&AccessLogMetrics>,
        seals: Option<&SealMetrics>,
    ) -> Self {
        Self::registered(receiving, projection, reconciling, subaccounts, forwarding, access, seals)
            .expect("each has a name of its own")
    }

    fn registered(
        receiving: &CallbackState,
        projection: &Handle,
        reconciling: &ReconcileMetrics,
        subaccounts: &SubaccountMetrics,
        forwarding: &ForwardMetrics,
        access: Option<&AccessLogMetrics>,
        seals: Option<&SealMetrics>,
    ) -> prometheus::Result<Self> {
        let registry = Registry::new();
        receiving.metrics.register(&registry)?;
        receiving.misdirected.register(&registry)?;
        reconciling.register(&registry)?;
        subaccounts.register(&registry)?;
        forwarding.register(&registry)?;
        access.map_or(Ok(()), |access| access.register(&registry))?;
        seals.map_or(Ok(()), |seals| seals.register(&registry))?;
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
        registry.register(Box::new(projected.of_erased.clone()))?;
        registry.register(Box::new(projected.failed.counter().clone()))?;
        if let Some(recorder) = &receiving.recorder {
            recorder.metrics().register(&registry)?;
        }
        build_info(&registry)?;
        let whole = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("delivery_ledger_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let seconds = |name: &str, help: &str| {
            let gauge = Gauge::new(format!("delivery_ledger_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let if_known = |name: &str, help: &str, labels: &[&str]| {
            let gauges =
                IntGaugeVec::new(Opts::new(format!("delivery_ledger_{name}"), help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        Ok(Self {
            head: whole("head_position", "The last position of the log.")?,
            checkpoint: whole(
                "checkpoint_position",
                "The position up to which the views have read.",
            )?,
            lag_events: whole("projection_lag_events", "Events that are not in the views yet.")?,
            lag_seconds: seconds(
                "projection_lag_seconds",
                "Seconds for which the oldest event that is not in the views has been waiting.",
            )?,
            ready: whole("ready", "1 if /readyz reports that the server is ready, otherwise 0.")?,
            disk_free: if_known("disk_free_bytes", "Free bytes on the disk of the log.", &[])?,
            leads: whole(
                "leads",
                "1 if this server projects, forwards, reconciles and verifies for all nodes, otherwise 0.",
            )?,
            nodes: if_known("nodes", "Running nodes of the ledger.", &[])?,
            synchronous_standbys: if_known(
                "synchronous_standbys",
                "Connected standbys that commits wait for, or may.",
                &[],
            )?,
            stuck: whole(
                "stuck_messages",
                "Outbound messages not settled that began over 12 hours ago, by whole hours.",
            )?,
            stuck_recent: whole(
                "stuck_recent_messages",
                "Stuck messages that began less than 72 hours ago, and may still change.",
            )?,
            verified_position: whole(
                "verified_position",
                "The position up to which the log was last verified in the background.",
            )?,
            verified_at: seconds(
                "verified_timestamp_seconds",
                "The time at which the last background verification ended; 0 before the first.",
            )?,
            verify_findings: whole(
                "verify_findings",
                "The number of findings of the last background verification.",
            )?,
            verify_failed: whole(
                "verify_failed",
                "1 if the last background verification could not be completed, otherwise 0.",
            )?,
            backup_at: seconds(
                "backup_timestamp_seconds",
                "The time at which the last backup that is known ended; 0 if none is.",
            )?,
            files: if_known("file_bytes", "The ledger's files.", &["file"])?,
            stuck_counted: Mutex::new(None),
            registry,
        })
    }

    /// All metrics in Prometheus' text format.
    pub fn encode(&self) -> Result<String, Problem> {
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(|_| Problem::Internal)
    }
}

fn build_info(registry: &Registry) -> prometheus::Result<()> {
    let opts = Opts::new("delivery_ledger_build_info", "1, of this version.");
    let labels = version::labels().into_iter();
    let opts = labels.fold(opts, |opts, (name, value)| opts.const_label(name, value));
    let info = IntGauge::with_opts(opts)?;
    info.set(1);
    registry.register(Box::new(info))
}
