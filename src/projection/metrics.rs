//! Prometheus metrics of the projection.

use prometheus::IntCounter;

use crate::domain::Lifecycle;
use crate::store::MessageChange;

/// Counters of unusual events that this process has projected. A rebuild of the views does not count.
#[derive(Clone)]
pub struct ProjectionMetrics {
    pub duplicates: IntCounter,
    pub late: IntCounter,
    pub unrecognised: IntCounter,
    /// Messages, not events.
    pub conflicts: IntCounter,
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
            conflicts: counter(
                "conflicting_messages",
                "Messages of which there came to be evidence both of success and of failure.",
            ),
        }
    }
}

impl ProjectionMetrics {
    /// Counts what a batch added to its messages.
    pub fn count(&self, messages: &[MessageChange]) {
        for MessageChange { before, message } in messages {
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
        }
    }
}
