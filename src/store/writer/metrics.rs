//! Prometheus metrics of the log's writer.

use prometheus::{Histogram, HistogramOpts, IntGauge, exponential_buckets};

use super::COMMIT_EVENTS_MAX;

/// The metrics of the log's writer.
#[derive(Clone)]
pub struct StoreMetrics {
    /// Events that wait to be written.
    pub queued: IntGauge,
    /// Events of each transaction.
    pub commit_events: Histogram,
    /// How long each transaction took, its fsync included.
    pub commit_seconds: Histogram,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        let powers = |first, factor, count| {
            exponential_buckets(first, factor, count).expect("the bounds rise")
        };
        let histogram = |name: &str, help: &str, bounds| {
            let named = HistogramOpts::new(format!("delivery_ledger_{name}"), help);
            Histogram::with_opts(named.buckets(bounds)).expect("it is a name")
        };
        let sizes = powers(1.0, 2.0, COMMIT_EVENTS_MAX.ilog2() as usize + 1);
        Self {
            queued: IntGauge::new(
                "delivery_ledger_queue_events",
                "Callbacks that wait to be written.",
            )
            .expect("it is a name"),
            commit_events: histogram("commit_events", "Events of one transaction.", sizes),
            commit_seconds: histogram(
                "commit_seconds",
                "How long one transaction took, until it was on disk.",
                powers(0.000_25, 2.0, 16), // to 8 s
            ),
        }
    }
}
