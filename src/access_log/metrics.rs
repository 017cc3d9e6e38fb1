//! Metrics of access records.

use std::io;

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// The reason a record was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Too many records were waiting.
    Full,
    /// The disk is full, or nearly.
    Disk,
    /// The file could not be written for another reason.
    Failed,
}

impl Lost {
    const ALL: [Lost; 3] = [Lost::Full, Lost::Disk, Lost::Failed];

    /// The reason for a record that could not be written.
    pub fn from_error(error: &io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Lost::Disk,
            _ => Lost::Failed,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Lost::Full => "full",
            Lost::Disk => "disk",
            Lost::Failed => "failed",
        }
    }
}

/// Counts records that were written, and those that were lost.
#[derive(Clone)]
pub struct AccessLogMetrics {
    written: IntCounter,
    lost: IntCounterVec,
}

impl Default for AccessLogMetrics {
    fn default() -> Self {
        let written = IntCounter::new(
            "delivery_ledger_access_records_total",
            "Access records that were written.",
        );
        let lost = Opts::new(
            "delivery_ledger_access_records_lost_total",
            "Access records that were lost, by reason.",
        );
        let metrics = Self {
            written: written.expect("it is a name"),
            lost: IntCounterVec::new(lost, &["reason"]).expect("it is a name"),
        };
        // An alert may be about a count, which has to be there before it can rise.
        for reason in Lost::ALL {
            metrics.lost(reason, 0);
        }
        metrics
    }
}

impl AccessLogMetrics {
    pub(super) fn written(&self, records: u64) {
        self.written.inc_by(records);
    }

    pub(super) fn lost(&self, reason: Lost, records: u64) {
        self.lost.with_label_values(&[reason.name()]).inc_by(records);
    }

    /// Registers the metrics.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.written.clone()))?;
        registry.register(Box::new(self.lost.clone()))
    }
}
