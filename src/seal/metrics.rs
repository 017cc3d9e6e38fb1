//! The metrics of seals.

use std::time::Instant;

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use time::OffsetDateTime;

use crate::domain::Timestamp;

/// The counters and gauges of seals.
#[derive(Clone)]
pub struct SealMetrics {
    /// Seals that this process has made.
    pub seals: IntCounter,
    /// Attempts at a seal that failed.
    pub failed: IntCounter,
    size: IntGauge,
    age: Gauge,
    started: Instant,
    every: Gauge,
    differs: IntGauge,
    cosignatures: IntCounterVec,
    timestamps: IntCounterVec,
}

impl Default for SealMetrics {
    fn default() -> Self {
        let opts = |name: &str, help: &str| Opts::new(format!("delivery_ledger_{name}"), help);
        let counter = |name, help| IntCounter::with_opts(opts(name, help)).expect("it is a name");
        let gauge = |name, help| Gauge::with_opts(opts(name, help)).expect("it is a name");
        let number = |name, help| IntGauge::with_opts(opts(name, help)).expect("it is a name");
        let labelled = |name, help, labels: &[&str]| {
            IntCounterVec::new(opts(name, help), labels).expect("it is a name")
        };
        Self {
            seals: counter("seals_total", "Seals that this server has made."),
            failed: counter("seals_failed_total", "Attempts at a seal that failed."),
            size: number("seal_size", "The number of events of the last seal."),
            age: gauge(
                "seal_age_seconds",
                "The time since the last seal, or since the start if there is none.",
            ),
            started: Instant::now(),
            every: gauge(
                "seal_every_seconds",
                "The interval at which the server seals; 0 if it does not.",
            ),
            differs: number(
                "seal_differs",
                "1 if the log no longer has what was sealed, so that nothing is sealed any more.",
            ),
            cosignatures: labelled(
                "cosignatures_total",
                "Requests to witnesses to cosign a seal, by witness and outcome.",
                &["witness", "outcome"],
            ),
            timestamps: labelled(
                "timestamps_total",
                "Requests to the timestamp authority, by outcome.",
                &["outcome"],
            ),
        }
    }
}

impl SealMetrics {
    /// Registers them for `/metrics`.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.seals.clone()))?;
        registry.register(Box::new(self.failed.clone()))?;
        registry.register(Box::new(self.size.clone()))?;
        registry.register(Box::new(self.age.clone()))?;
        registry.register(Box::new(self.every.clone()))?;
        registry.register(Box::new(self.differs.clone()))?;
        registry.register(Box::new(self.cosignatures.clone()))?;
        registry.register(Box::new(self.timestamps.clone()))
    }

    /// Sets the interval, which is 0 until then.
    pub fn set_every(&self, every: std::time::Duration) {
        self.every.set(every.as_secs_f64());
    }

    /// Sets the size and the age of the last seal, if there is one.
    pub fn set_last(&self, last: Option<(u64, Timestamp)>) {
        let (size, age) = match last {
            Some((size, at)) => {
                let now = Timestamp::from(OffsetDateTime::now_utc());
                (size, (now.micros() - at.micros()).max(0) as f64 / 1e6)
            }
            None => (0, self.started.elapsed().as_secs_f64()),
        };
        self.size.set(i64::try_from(size).unwrap_or(i64::MAX));
        self.age.set(age);
    }

    /// Records whether the log contradicts its seals.
    pub fn set_differs(&self, differs: bool) {
        self.differs.set(differs.into());
    }

    /// Counts a request to a witness.
    pub fn count_cosignature(&self, witness: &str, outcome: &str) {
        self.cosignatures.with_label_values(&[witness, outcome]).inc();
    }

    /// Counts a request to the timestamp authority.
    pub fn count_timestamp(&self, outcome: &str) {
        self.timestamps.with_label_values(&[outcome]).inc();
    }
}
