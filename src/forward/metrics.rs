//! The metrics of targets.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use crate::forward::client::Outcome;

/// The label that every metric has.
const TARGET: &str = "target";

/// From a target on the same machine to the longest time limit that is usual.
const SECONDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 5.0, 15.0, 30.0];

/// What the attempts can lead to, in words of their own instead of status codes, of which there are many.
const OUTCOMES: [&str; 5] = ["accepted", "refused", "server_error", "no_answer", "not_signed"];

/// The metrics of all targets.
#[derive(Clone)]
pub struct ForwardMetrics {
    attempts: IntCounterVec,
    seconds: HistogramVec,
    lag_events: IntGaugeVec,
    lag_seconds: IntGaugeVec,
    waiting: IntGaugeVec,
    failed: IntGaugeVec,
    failing: IntGaugeVec,
}

/// How far a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Events that are not read yet, and those that wait.
    pub lag_events: u64,
    /// The age of the oldest of them.
    pub lag: Duration,
    /// Events that wait.
    pub waiting: u64,
    /// Events that were given up.
    pub failed: u64,
    /// Whether every attempt has failed lately.
    pub is_failing: bool,
}

/// The metrics of one target.
#[derive(Clone)]
pub struct TargetMetrics {
    all: ForwardMetrics,
    target: String,
    seconds: Histogram,
}

impl Default for ForwardMetrics {
    fn default() -> Self {
        let gauge = |name: &str, help: &str| {
            IntGaugeVec::new(Opts::new(name, help), &[TARGET]).expect("it is a name")
        };
        let attempts = Opts::new(
            "delivery_ledger_forward_attempts_total",
            "Requests to targets by outcome: accepted (2xx), refused (3xx, 4xx), server_error (5xx), \
             no_answer, not_signed.",
        );
        let seconds = HistogramOpts::new(
            "delivery_ledger_forward_duration_seconds",
            "The time from the beginning of a request to a target to its answer, or to the failure.",
        );
        Self {
            attempts: IntCounterVec::new(attempts, &[TARGET, "outcome"]).expect("it is a name"),
            seconds: HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &[TARGET])
                .expect("it is a name"),
            lag_events: gauge(
                "delivery_ledger_forward_lag_events",
                "Events that a target has not accepted yet, failed ones not included.",
            ),
            lag_seconds: gauge(
                "delivery_ledger_forward_lag_seconds",
                "The age of the oldest event that a target has not accepted yet, failed ones not included.",
            ),
            waiting: gauge(
                "delivery_ledger_forward_waiting_events",
                "Events that are being sent to a target, or will be sent again.",
            ),
            failed: gauge(
                "delivery_ledger_forward_failed_events",
                "Events that were given up, until they are sent again by `forward retry`.",
            ),
            failing: gauge(
                "delivery_ledger_forward_failing",
                "1 while a target gets nothing: its last 40 attempts or more had no answer, or one that asks \
                 to try again, or forwarding has stopped with an error.",
            ),
        }
    }
}

impl ForwardMetrics {
    /// The metrics of one target, which are 0 from now on.
    pub fn of(&self, target: &str) -> TargetMetrics {
        for outcome in OUTCOMES {
            self.attempts.with_label_values(&[target, outcome]);
        }
        let seconds = self.seconds.with_label_values(&[target]);
        TargetMetrics { all: self.clone(), target: target.to_owned(), seconds }
    }

    /// Registers the metrics.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.attempts.clone()))?;
        registry.register(Box::new(self.seconds.clone()))?;
        for gauge in
            [&self.lag_events, &self.lag_seconds, &self.waiting, &self.failed, &self.failing]
        {
            registry.register(Box::new(gauge.clone()))?;
        }
        Ok(())
    }
}

impl TargetMetrics {
    /// Counts an attempt.
    pub fn attempted(&self, outcome: &Outcome, took: Duration) {
        let outcome = match outcome {
            Outcome::Accepted(_) => "accepted",
            Outcome::Refused(500.., _) => "server_error",
            Outcome::Refused(..) => "refused",
            Outcome::NoAnswer(_) => "no_answer",
            Outcome::NotSigned(_) => "not_signed",
        };
        self.all.attempts.with_label_values(&[&self.target, outcome]).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Shows that forwarding has stopped with an error: the target gets nothing until it has started again.
    pub fn stopped(&self) {
        self.all.failing.with_label_values(&[&self.target]).set(1);
    }

    /// Shows nothing: another node forwards.
    pub fn leave(&self) {
        let all = &self.all;
        for gauge in [&all.lag_events, &all.lag_seconds, &all.waiting, &all.failed, &all.failing] {
            gauge.with_label_values(&[&self.target]).set(0);
        }
    }

    /// Shows how far the target is.
    pub fn show(&self, progress: &Progress) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        for (gauge, value) in [
            (&self.all.lag_events, number(progress.lag_events)),
            (&self.all.lag_seconds, number(progress.lag.as_secs())),
            (&self.all.waiting, number(progress.waiting)),
            (&self.all.failed, number(progress.failed)),
            (&self.all.failing, i64::from(progress.is_failing)),
        ] {
            gauge.with_label_values(&[&self.target]).set(value);
        }
    }
}
