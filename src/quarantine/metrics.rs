//! Metrics of the quarantine.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::store::quarantine::{Kept, Rank};

/// Why a rejected request was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Too many of the lowest rank came at once.
    Rate,
    /// Too many came at once that are possibly an account's own.
    Possible,
    /// Too many came at once that are an account's own.
    Recognised,
    /// Too many waited to be written.
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

    /// Too many requests of this rank at once.
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

/// See the module.
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
        let kept = named("quarantine_kept_total", "Rejected requests that were kept.");
        let dropped = named(
            "quarantine_dropped_total",
            "Rejected requests that were not kept, by reason: too many at once (rate; possible and \
             recognised, by rank; full), a disk that is nearly full, or a file that cannot be written.",
        );
        let metrics = Self {
            kept: IntCounter::with_opts(kept).expect("it is a name"),
            dropped: IntCounterVec::new(dropped, &["reason"]).expect("it is a name"),
            requests: gauge("quarantine_requests", "Rejected requests that are kept now."),
            recognised: gauge(
                "quarantine_recognised_requests",
                "How many of them are an account's own: their signature fits, or would fit.",
            ),
            bytes: gauge("quarantine_bytes", "What they take in their file."),
        };
        for reason in Dropped::ALL {
            metrics.dropped(reason, 0);
        }
        metrics
    }
}

impl QuarantineMetrics {
    /// Counts requests that were kept, and sets what is kept now.
    pub fn kept(&self, requests: usize, now: Kept) {
        self.kept.inc_by(requests as u64);
        self.set_current(now);
    }

    /// Counts requests that were not kept.
    pub fn dropped(&self, reason: Dropped, requests: usize) {
        self.dropped.with_label_values(&[reason.name()]).inc_by(requests as u64);
    }

    /// Sets what is kept now.
    pub fn set_current(&self, now: Kept) {
        self.requests.set(i64::try_from(now.requests).unwrap_or(i64::MAX));
        self.recognised.set(i64::try_from(now.recognised).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(now.bytes).unwrap_or(i64::MAX));
    }

    /// Adds them to what is asked for.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.kept.clone()))?;
        registry.register(Box::new(self.dropped.clone()))?;
        registry.register(Box::new(self.requests.clone()))?;
        registry.register(Box::new(self.recognised.clone()))?;
        registry.register(Box::new(self.bytes.clone()))
    }
}
