//! Metrics of reloading keys and tokens.

use prometheus::{Gauge, IntCounterVec, Opts, Registry};

use crate::domain::Timestamp;

/// Counts reloads by their outcome.
#[derive(Clone)]
pub struct KeyReloadMetrics {
    count: IntCounterVec,
    last_at: Gauge,
}

impl Default for KeyReloadMetrics {
    fn default() -> Self {
        let count = Opts::new(
            "delivery_ledger_key_reloads_total",
            "How often keys and tokens were read again, and whether all of them could be.",
        );
        let reloads = Self {
            count: IntCounterVec::new(count, &["outcome"]).expect("it is a name"),
            last_at: Gauge::new(
                "delivery_ledger_key_reload_timestamp_seconds",
                "When keys and tokens were last read again; 0 before the first time.",
            )
            .expect("it is a name"),
        };
        // An alert may be about a count, which has to be there before it can rise.
        for outcome in ["ok", "failed"] {
            reloads.count.with_label_values(&[outcome]);
        }
        reloads
    }
}

impl KeyReloadMetrics {
    /// Keys and tokens were reloaded: all of them, or some kept their old values.
    pub fn reloaded(&self, all: bool, at: Timestamp) {
        let outcome = if all { "ok" } else { "failed" };
        self.count.with_label_values(&[outcome]).inc();
        self.last_at.set(at.micros() as f64 / 1e6);
    }

    /// Registers the metrics.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.count.clone()))?;
        registry.register(Box::new(self.last_at.clone()))
    }
}
