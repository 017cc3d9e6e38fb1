//! What is counted of callbacks as they come, for telemetry. No label is anything that a sender chose.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry, exponential_buckets};

use super::error::Problem;
use crate::domain::Status;
use crate::quarantine::rejection::Rejection;
use crate::store::writer::AppendError;
use crate::twilio::callback::StatusWord;
use crate::twilio::signature::Refusal;

/// The status of a callback that nobody is known to have signed, whatever it says.
const UNVERIFIED: &str = "unverified";

/// What became of a callback.
#[derive(Clone, Copy)]
enum Outcome {
    Stored,
    Refused,
    NotStored,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Stored => "stored",
            Outcome::Refused => "refused",
            Outcome::NotStored => "not_stored",
        }
    }
}

/// See the module.
#[derive(Clone)]
pub struct HttpMetrics {
    callbacks: IntCounterVec,
    refusals: IntCounterVec,
    append_seconds: Histogram,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let named = Opts::new(format!("delivery_ledger_{name}_total"), help);
            IntCounterVec::new(named, labels).expect("it is a name")
        };
        let bounds = exponential_buckets(0.000_5, 2.0, 15).expect("the bounds rise"); // to 8 s
        let append = HistogramOpts::new(
            "delivery_ledger_append_seconds",
            "How long a callback waited until it was on disk.",
        );
        let metrics = Self {
            callbacks: counter(
                "callbacks",
                "Callbacks by what became of them and the status that they report.",
                &["outcome", "status"],
            ),
            refusals: counter(
                "refusals",
                "Callbacks that were not stored, by reason.",
                &["reason"],
            ),
            append_seconds: Histogram::with_opts(append.buckets(bounds)).expect("it is a name"),
        };
        metrics.begin();
        metrics
    }
}

impl HttpMetrics {
    /// Begins every count that an alert may be about at nothing: of what is not there, nothing rises.
    fn begin(&self) {
        let known = Status::ALL.map(StatusWord::Known).into_iter();
        for word in known.chain([StatusWord::Unrecognised, StatusWord::None]) {
            self.callbacks.with_label_values(&[Outcome::Stored.name(), word.name()]);
            self.callbacks.with_label_values(&[Outcome::NotStored.name(), word.name()]);
        }
        self.callbacks.with_label_values(&[Outcome::Refused.name(), UNVERIFIED]);
        let of_signatures = Refusal::ALL.map(Refusal::name).into_iter();
        let of_others = Rejection::WITHOUT_SIGNATURE.map(Rejection::name);
        for reason in of_signatures.chain(of_others).chain(OTHER_REASONS) {
            self.refusals.with_label_values(&[reason]);
        }
    }

    /// A callback is on disk.
    pub fn stored(&self, word: StatusWord, waited: Duration) {
        self.callbacks.with_label_values(&[Outcome::Stored.name(), word.name()]).inc();
        self.append_seconds.observe(waited.as_secs_f64());
    }

    /// A callback that nobody is known to have signed.
    pub fn refused(&self, problem: &Problem) {
        self.callbacks.with_label_values(&[Outcome::Refused.name(), UNVERIFIED]).inc();
        self.refusals.with_label_values(&[reason(problem)]).inc();
    }

    /// A signed callback that is not known to be on disk.
    pub fn not_stored(&self, word: StatusWord, problem: &Problem) {
        self.callbacks.with_label_values(&[Outcome::NotStored.name(), word.name()]).inc();
        self.refusals.with_label_values(&[reason(problem)]).inc();
    }

    /// Adds them to what is asked for.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.callbacks.clone()))?;
        registry.register(Box::new(self.refusals.clone()))?;
        registry.register(Box::new(self.append_seconds.clone()))
    }
}

/// The reasons for which a signed callback may not be stored, and anything else.
const OTHER_REASONS: [&str; 6] =
    ["bodies_full", "queue_full", "log_closed", "ending", "not_durable_in_time", "other"];

fn reason(problem: &Problem) -> &'static str {
    match problem {
        Problem::TooManyBodies { .. } => "bodies_full",
        Problem::NotStored(AppendError::QueueFull | AppendError::QueueBytesFull) => "queue_full",
        Problem::NotStored(AppendError::Poisoned(_)) => "log_closed",
        Problem::NotStored(AppendError::Ending) => "ending",
        Problem::NotDurableInTime => "not_durable_in_time",
        other => other.rejection().map_or("other", Rejection::name),
    }
}
