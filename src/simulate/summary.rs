//! The results of a simulated load: counts and latencies.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The result of a load, in the form of the JSON output.
#[derive(Debug, Serialize)]
pub struct LoadSummary {
    /// The URL that was called.
    pub target: String,
    /// The number of callbacks in flight at once.
    pub connections: usize,
    /// The requested rate in callbacks a second; `None` if each response triggered the next callback.
    pub rate: Option<f64>,
    /// How long the load lasted.
    pub seconds: f64,
    /// Callbacks that were sent, forged ones included.
    pub sent: u64,
    /// Callbacks with a 200 response, which the ledger has stored.
    pub acknowledged: u64,
    /// Callbacks with a 403 response, as forged ones must get.
    pub refused: u64,
    /// Forged callbacks that were acknowledged. Any value other than 0 is a bug of the ledger.
    pub forged_acknowledged: u64,
    /// The number of responses by status code.
    pub answers: BTreeMap<u16, u64>,
    /// Callbacks without a response.
    pub unanswered: u64,
    /// Responses with status code 200 a second.
    pub acknowledged_per_second: f64,
    /// Measured from the time a callback was due, so that it includes waiting for a connection.
    pub latency_ms: Latency,
}

/// Percentiles of the time to an acknowledgement, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p99_9: f64,
    /// The longest time.
    pub max: f64,
}

/// The counts of a load in progress.
#[derive(Debug)]
pub struct LoadCounts {
    latency_micros: Histogram<u64>,
    answers: BTreeMap<u16, u64>,
    unanswered: u64,
    forged_acknowledged: u64,
}

/// The highest recorded latency, in microseconds: ten minutes.
const LATENCY_MICROS_MAX: u64 = 600_000_000;

const OK: u16 = 200;
const FORBIDDEN: u16 = 403;

impl Default for LoadCounts {
    fn default() -> Self {
        let latency_micros = Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3);
        Self {
            latency_micros: latency_micros.expect("the bounds are a histogram's"),
            answers: BTreeMap::new(),
            unanswered: 0,
            forged_acknowledged: 0,
        }
    }
}

impl LoadCounts {
    /// Counts a response; returns true if it acknowledged the callback.
    pub fn answered(&mut self, code: u16, forged: bool, after: Duration) -> bool {
        *self.answers.entry(code).or_default() += 1;
        if code != OK {
            return false;
        }
        self.forged_acknowledged += u64::from(forged);
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.latency_micros.saturating_record(micros);
        true
    }

    /// Counts a callback without a response.
    pub fn unanswered(&mut self) {
        self.unanswered += 1;
    }

    /// Adds the counts of another connection.
    pub fn add(&mut self, other: LoadCounts) {
        self.latency_micros.add(other.latency_micros).expect("all histograms have the same bounds");
        for (code, count) in other.answers {
            *self.answers.entry(code).or_default() += count;
        }
        self.unanswered += other.unanswered;
        self.forged_acknowledged += other.forged_acknowledged;
    }

    /// The summary of a load that took this long.
    pub fn summary(
        self,
        target: String,
        connections: usize,
        rate: Option<f64>,
        took: Duration,
    ) -> LoadSummary {
        let count = |code| self.answers.get(&code).copied().unwrap_or(0);
        let seconds = took.as_secs_f64();
        let percentile = |q| self.latency_micros.value_at_quantile(q) as f64 / 1_000.0;
        LoadSummary {
            target,
            connections,
            rate,
            seconds,
            sent: self.answers.values().sum::<u64>() + self.unanswered,
            acknowledged: count(OK),
            refused: count(FORBIDDEN),
            forged_acknowledged: self.forged_acknowledged,
            unanswered: self.unanswered,
            acknowledged_per_second: count(OK) as f64 / seconds.max(f64::EPSILON),
            latency_ms: Latency {
                p50: percentile(0.5),
                p90: percentile(0.9),
                p99: percentile(0.99),
                p99_9: percentile(0.999),
                max: self.latency_micros.max() as f64 / 1_000.0,
            },
            answers: self.answers,
        }
    }
}
