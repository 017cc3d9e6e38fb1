//! Metrics of callbacks, by outcome. Senders cannot choose the value of any label.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, exponential_buckets,
};

use super::minute_counters::MinuteCounters;
use crate::http::error::Problem;
use crate::quarantine::rejection::Rejection;
use crate::store::writer::AppendError;
use crate::twilio::callback::StatusWord;
use crate::twilio::json::batch::NotSplit;
use crate::twilio::signature::InvalidReason;

/// The status label of a callback without a valid signature, whatever it reports.
const UNVERIFIED: &str = "unverified";

/// The outcome of a callback, as a label.
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

/// The counters and histograms of the callback listener.
#[derive(Clone)]
pub struct CallbackMetrics {
    callbacks: IntCounterVec,
    /// Those of stored callbacks, so that no labels have to be searched for.
    stored: Arc<[(StatusWord, IntCounter)]>,
    refusals: IntCounterVec,
    append_seconds: Histogram,
    not_split: IntCounterVec,
    recent: Arc<MinuteCounters>,
}

impl Default for CallbackMetrics {
    fn default() -> Self {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let named = Opts::new(format!("delivery_ledger_{name}_total"), help);
            IntCounterVec::new(named, labels).expect("it is a name")
        };
        let bounds = exponential_buckets(0.000_5, 2.0, 15).expect("the bounds rise"); // to 8 s
        let append = HistogramOpts::new(
            "delivery_ledger_append_seconds",
            "Time until a callback was on disk, in seconds.",
        );
        let callbacks = counter(
            "callbacks",
            "Callbacks by outcome and by the status that they report.",
            &["outcome", "status"],
        );
        let stored = |word: StatusWord| {
            (word, callbacks.with_label_values(&[Outcome::Stored.name(), word.name()]))
        };
        let metrics = Self {
            stored: StatusWord::all().map(stored).collect(),
            callbacks,
            refusals: counter(
                "refusals",
                "Callbacks that were not stored, by reason.",
                &["reason"],
            ),
            not_split: counter(
                "batches_kept_whole",
                "Requests of Event Streams that were stored as one event of no message, by reason.",
                &["reason"],
            ),
            append_seconds: Histogram::with_opts(append.buckets(bounds)).expect("it is a name"),
            recent: Arc::default(),
        };
        metrics.initialise();
        metrics
    }
}

impl CallbackMetrics {
    /// Initialises every counter that alerts use to 0, because `rate()` ignores the first value of a series.
    fn initialise(&self) {
        for word in StatusWord::all() {
            self.callbacks.with_label_values(&[Outcome::NotStored.name(), word.name()]);
        }
        self.callbacks.with_label_values(&[Outcome::Refused.name(), UNVERIFIED]);
        for reason in NotSplit::ALL {
            self.not_split.with_label_values(&[reason.name()]);
        }
        let of_signatures = InvalidReason::ALL.map(InvalidReason::name).into_iter();
        let of_others = Rejection::WITHOUT_SIGNATURE.map(Rejection::name);
        for reason in of_signatures.chain(of_others).chain(OTHER_REASONS) {
            self.refusals.with_label_values(&[reason]);
        }
    }

    /// Counts a callback that is on disk.
    pub fn stored(&self, word: StatusWord, waited: Duration) {
        if let Some((_, counter)) = self.stored.iter().find(|(other, _)| *other == word) {
            counter.inc();
        }
        self.append_seconds.observe(waited.as_secs_f64());
        self.recent.accepted();
    }

    /// Counts a batch that was stored as one event, because it could not be split.
    pub fn not_split(&self, reason: NotSplit) {
        self.not_split.with_label_values(&[reason.name()]).inc();
    }

    /// Counts a callback that was rejected.
    pub fn refused(&self, problem: &Problem) {
        self.callbacks.with_label_values(&[Outcome::Refused.name(), UNVERIFIED]).inc();
        self.refusals.with_label_values(&[reason(problem)]).inc();
        self.recent.rejected();
    }

    /// Counts a signed callback that may not be on disk.
    pub fn not_stored(&self, word: StatusWord, problem: &Problem) {
        self.callbacks.with_label_values(&[Outcome::NotStored.name(), word.name()]).inc();
        self.refusals.with_label_values(&[reason(problem)]).inc();
    }

    /// The numbers of the last minutes.
    pub fn recent(&self) -> Arc<MinuteCounters> {
        Arc::clone(&self.recent)
    }

    /// Registers them for `/metrics`.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.callbacks.clone()))?;
        registry.register(Box::new(self.refusals.clone()))?;
        registry.register(Box::new(self.not_split.clone()))?;
        registry.register(Box::new(self.append_seconds.clone()))
    }
}

/// The reason labels of signed callbacks that are not stored, and of anything else.
const OTHER_REASONS: [&str; 7] =
    ["loop", "bodies_full", "queue_full", "log_closed", "ending", "not_durable_in_time", "other"];

fn reason(problem: &Problem) -> &'static str {
    match problem {
        Problem::Loop => "loop",
        Problem::TooManyBodies { .. } => "bodies_full",
        Problem::NotStored(
            AppendError::QueueFull | AppendError::QueueBatchesFull | AppendError::QueueBytesFull,
        ) => "queue_full",
        Problem::NotStored(AppendError::Poisoned(_)) => "log_closed",
        Problem::NotStored(AppendError::Ending) => "ending",
        Problem::NotDurableInTime => "not_durable_in_time",
        other => other.rejection().map_or("other", Rejection::name),
    }
}
