//! Metrics of the quarantine.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::store::quarantine::{QuarantineSize, Rank};

/// The reason a rejected request was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Too many requests of the lowest rank arrived at once.
    Rate,
    /// Too many requests that are possibly an account's own arrived at once.
    Possible,
    /// Too many requests that are an account's own arrived at once.
    Recognised,
    /// The queue of requests waiting to be written is full.
    Full,
    /// The disk is nearly full.
    Disk,
    /// The file could not be written.
    Failed,
}

impl Dropped {
    const ALL: [Dropped; 6] = [
        Dropped::Rate,
        Dropped::Possible,
        Dropped::Recognised,
        Dropped::Full,
        Dropped::Disk,
        Dropped::Failed,
    ];

    /// The reason for a request of this rank that exceeds the rate limit.
    pub fn from_rank(rank: Rank) -> Self {
        match rank {
            Rank::Other => Dropped::Rate,
            Rank::Possible => Dropped::Possible,
            Rank::Recognised => Dropped::Recognised,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Dropped::Rate => "rate",
            Dropped::Possible => "possible",
            Dropped::Recognised => "recognised",
            Dropped::Full => "full",
            Dropped::Disk => "disk",
            Dropped::Failed => "failed",
        }
    }
}

/// The counters and gauges of the quarantine.
#[derive(Clone)]
pub struct QuarantineMetrics {
    kept: IntCounter,
    dropped: IntCounterVec,
    requests: IntGauge,
    recognised: IntGauge,
    bytes: IntGauge,
}

impl Default for QuarantineMetrics {
    fn default() -> Self {
        let named = |name: &str, help: &str| Opts::new(format!("delivery_ledger_{name}"), help);
        let gauge =
            |name: &str, help: &str| IntGauge::with_opts(named(name, help)).expect("it is a name");
        let kept = named("quarantine_kept_total", "Rejected requests that were stored.");
        let dropped = named(
            "quarantine_dropped_total",
            "Rejected requests that were not stored, by reason: too many at once (rate; possible and \
             recognised, by rank; full), a disk that is nearly full, or a file that cannot be written.",
        );
        let metrics = Self {
            kept: IntCounter::with_opts(kept).expect("it is a name"),
            dropped: IntCounterVec::new(dropped, &["reason"]).expect("it is a name"),
            requests: gauge("quarantine_requests", "Rejected requests that are stored now."),
            recognised: gauge(
                "quarantine_recognised_requests",
                "Stored requests that are an account's own: the signature is valid, or would be once \
                 the cause is fixed.",
            ),
            bytes: gauge("quarantine_bytes", "Bytes that the stored requests take in their file."),
        };
        for reason in Dropped::ALL {
            metrics.dropped(reason, 0);
        }
        metrics
    }
}

impl QuarantineMetrics {
    /// Counts requests that were stored, and sets the gauges to `now`.
    pub fn kept(&self, requests: usize, now: QuarantineSize) {
        self.kept.inc_by(requests as u64);
        self.set_current(now);
    }

    /// Counts requests that were not stored.
    pub fn dropped(&self, reason: Dropped, requests: usize) {
        self.dropped.with_label_values(&[reason.name()]).inc_by(requests as u64);
    }

    /// Sets the gauges to the current contents of the file.
    pub fn set_current(&self, now: QuarantineSize) {
        self.requests.set(i64::try_from(now.requests).unwrap_or(i64::MAX));
        self.recognised.set(i64::try_from(now.recognised).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(now.bytes).unwrap_or(i64::MAX));
    }

    /// Registers them for `/metrics`.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.kept.clone()))?;
        registry.register(Box::new(self.dropped.clone()))?;
        registry.register(Box::new(self.requests.clone()))?;
        registry.register(Box::new(self.recognised.clone()))?;
        registry.register(Box::new(self.bytes.clone()))
    }
}
