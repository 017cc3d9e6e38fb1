//! The metrics of the reconcile runs that the server starts.

use std::time::Duration;

use prometheus::{Gauge, IntCounter, Registry};

/// The counters and gauges of reconcile.
#[derive(Clone)]
pub struct ReconcileMetrics {
    /// Runs that have ended.
    pub runs: IntCounter,
    /// Runs that stopped early.
    pub stopped: IntCounter,
    /// Requests to Twilio.
    pub requests: IntCounter,
    /// Events that were appended.
    pub appended: IntCounter,
    /// When the last run ended, in seconds since 1970.
    pub ended_at: Gauge,
    every: Gauge,
}

impl Default for ReconcileMetrics {
    fn default() -> Self {
        let counter = |name: &str, help: &str| {
            IntCounter::new(format!("delivery_ledger_reconcile_{name}_total"), help)
                .expect("it is a name")
        };
        let ended_at = "delivery_ledger_reconcile_timestamp_seconds";
        let help = "When the last run ended; 0 before the first.";
        let every = "delivery_ledger_reconcile_every_seconds";
        let every_help = "The interval at which the server reconciles; 0 if it does not.";
        Self {
            runs: counter("runs", "Runs of reconcile that the server has started."),
            stopped: counter("stopped", "Those of them that stopped early."),
            requests: counter("requests", "Requests that they made."),
            appended: counter("appended", "Events that they added to the log."),
            ended_at: Gauge::new(ended_at, help).expect("it is a name"),
            every: Gauge::new(every, every_help).expect("it is a name"),
        }
    }
}

impl ReconcileMetrics {
    /// Sets the interval of the runs, which is 0 until then.
    pub fn set_every(&self, every: Duration) {
        self.every.set(every.as_secs_f64());
    }

    /// Registers them for `/metrics`.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        for counter in [&self.runs, &self.stopped, &self.requests, &self.appended] {
            registry.register(Box::new(counter.clone()))?;
        }
        registry.register(Box::new(self.every.clone()))?;
        registry.register(Box::new(self.ended_at.clone()))
    }
}
