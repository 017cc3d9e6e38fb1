//! The metrics of subaccounts.

use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry};

use crate::domain::Timestamp;

/// How many subaccounts are known, and how often they were fetched.
#[derive(Clone)]
pub struct SubaccountMetrics {
    known: IntGauge,
    refreshes: IntCounterVec,
    refreshed_at: Gauge,
}

impl Default for SubaccountMetrics {
    fn default() -> Self {
        let refreshes = Opts::new(
            "delivery_ledger_subaccount_refreshes_total",
            "How often subaccounts were fetched from Twilio, and whether that succeeded.",
        );
        let metrics = Self {
            known: IntGauge::new(
                "delivery_ledger_subaccounts",
                "Fetched subaccounts, those with keys of their own in the configuration included.",
            )
            .expect("it is a name"),
            refreshes: IntCounterVec::new(refreshes, &["outcome"]).expect("it is a name"),
            refreshed_at: Gauge::new(
                "delivery_ledger_subaccount_refresh_timestamp_seconds",
                "When the oldest list of an account's subaccounts was fetched; 0 if none was.",
            )
            .expect("it is a name"),
        };
        // An alert may be about a count, which has to be there before it can rise.
        for outcome in ["ok", "failed"] {
            metrics.refreshes.with_label_values(&[outcome]);
        }
        metrics
    }
}

impl SubaccountMetrics {
    /// Sets how many are known, and the time of the oldest list.
    pub fn set_known(&self, count: usize, fetched_at: Option<Timestamp>) {
        self.known.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.refreshed_at.set(fetched_at.map_or(0.0, |at| at.micros() as f64 / 1e6));
    }

    /// Counts a fetch.
    pub fn refreshed(&self, succeeded: bool) {
        self.refreshes.with_label_values(&[if succeeded { "ok" } else { "failed" }]).inc();
    }

    /// Registers the metrics.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.known.clone()))?;
        registry.register(Box::new(self.refreshes.clone()))?;
        registry.register(Box::new(self.refreshed_at.clone()))
    }
}
