//! Prometheus metrics of the projection.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

use crate::domain::{ErrorCode, Lifecycle, Status};
use crate::store::{Batch, MessageChange};

/// The error codes that are counted by themselves, because each is a time series. Twilio documents some 200
/// of messages, of which an account sees a few.
const ERROR_CODES_MAX: usize = 100;

/// The label of the error codes beyond these.
const OTHER_CODES: &str = "other";

/// The label of failed messages without an error code.
const NO_CODE: &str = "none";

/// Counters of unusual events that this process has projected. A rebuild of the views does not count.
#[derive(Clone)]
pub struct ProjectionMetrics {
    /// Events that repeat an earlier one.
    pub duplicates: IntCounter,
    /// Events that report a lower status than one that was reported before.
    pub late: IntCounter,
    /// Events with a status that is not one of an outbound message.
    pub unrecognised: IntCounter,
    /// Events of messages that had been erased. A gauge, because names of counters end with `_total`.
    pub of_erased: IntGauge,
    /// Messages, not events.
    pub conflicts: IntCounter,
    /// Failed messages by error code.
    pub failed: FailedMessages,
}

/// Messages that became failed or undelivered, by error code.
#[derive(Clone)]
pub struct FailedMessages {
    counter: IntCounterVec,
    /// The codes with a time series of their own.
    counted: Arc<Mutex<HashSet<ErrorCode>>>,
}

impl FailedMessages {
    fn new() -> Self {
        let opts = Opts::new(
            "delivery_ledger_failed_messages_total",
            "Messages that came to be failed or undelivered, by their error code.",
        );
        let counter = IntCounterVec::new(opts, &["error_code"]).expect("these are names");
        Self { counter, counted: Arc::default() }
    }

    /// The counter, to be registered.
    pub fn counter(&self) -> &IntCounterVec {
        &self.counter
    }

    fn add(&self, failed: &BTreeMap<Option<ErrorCode>, u64>) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for (code, messages) in failed {
            let label = match code {
                None => NO_CODE.into(),
                Some(code) if counted.contains(code) || counted.len() < ERROR_CODES_MAX => {
                    counted.insert(*code);
                    code.number().to_string()
                }
                Some(_) => OTHER_CODES.into(),
            };
            self.counter.with_label_values(&[label]).inc_by(*messages);
        }
    }
}

impl Default for ProjectionMetrics {
    fn default() -> Self {
        let counter = |name: &str, help: &str| {
            IntCounter::new(format!("delivery_ledger_{name}_total"), help).expect("it is a name")
        };
        Self {
            duplicates: counter("duplicate_events", "Events that an earlier one says in full."),
            late: counter("late_events", "Events that rank below what had been heard before them."),
            unrecognised: counter("unrecognised_events", "Events without a status that is known."),
            of_erased: IntGauge::new(
                "delivery_ledger_events_of_erased_messages",
                "Events that arrived after their messages had been erased.",
            )
            .expect("it is a name"),
            conflicts: counter(
                "conflicting_messages",
                "Messages of which there came to be evidence both of success and of failure.",
            ),
            failed: FailedMessages::new(),
        }
    }
}

impl ProjectionMetrics {
    /// Counts the unusual events of a batch.
    pub fn count(&self, batch: &Batch) {
        self.of_erased.add(i64::try_from(batch.erased_events).unwrap_or(i64::MAX));
        let mut failed = BTreeMap::new();
        for MessageChange { before, message } in &batch.messages {
            let (now, before) = (&message.lifecycle, before.as_deref());
            let had = before.map(|lifecycle| lifecycle.counts).unwrap_or_default();
            let added = |counter: &IntCounter, now: u64, had: u64| {
                if now > had {
                    counter.inc_by(now - had);
                }
            };
            added(&self.duplicates, now.counts.duplicates, had.duplicates);
            added(&self.late, now.counts.late, had.late);
            added(&self.unrecognised, now.counts.unrecognised, had.unrecognised);
            let in_conflict = |lifecycle: &Lifecycle| lifecycle.evidence.has_conflict();
            if in_conflict(now) && !before.is_some_and(in_conflict) {
                self.conflicts.inc();
            }
            let has_failed =
                |lifecycle: &Lifecycle| lifecycle.evidence.status().is_some_and(Status::is_failure);
            if has_failed(now) && !before.is_some_and(has_failed) {
                *failed.entry(now.evidence.error_code()).or_default() += 1;
            }
        }
        self.failed.add(&failed);
    }
}
