//! The panel about silence: the last callback, what is usual, and the callbacks of the last 90 minutes.

use super::verdict::minute;
use crate::checks::callback_counts::{Counts, start_of};
use crate::checks::figures::{Figures, Steps};
use crate::domain::Timestamp;
use crate::text::in_words;

/// The steps of one row of the table: ten minutes.
const STEPS_A_ROW: usize = 5;

/// The share of a step that its bar takes.
const BAR: f64 = 0.76;

/// The numbers that an axis may end with, times a power of ten.
const ROUND: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// The panel.
pub struct Silence {
    pub last: Option<Timestamp>,
    pub ago: String,
    pub every: Option<String>,
    pub longest_gap: Option<String>,
    pub chart: Option<Chart>,
}

/// Callbacks a minute, every two minutes.
pub struct Chart {
    /// The end of the axis.
    pub most: u64,
    pub bars: Vec<Bar>,
    /// The usual number, as a share of the height from the top.
    pub usual: Option<f64>,
    pub rows: Vec<Row>,
    /// Four times below the chart.
    pub times: [String; 4],
    pub description: String,
}

/// A bar, in shares of the chart's width and height.
pub struct Bar {
    pub class: &'static str,
    pub x: f64,
    pub width: f64,
    pub y: f64,
    pub height: f64,
    pub title: String,
}

/// A row of the table.
pub struct Row {
    pub from: String,
    /// Callbacks a minute.
    pub accepted: u64,
    pub rejected: u64,
    pub usual: Option<u64>,
}

impl Silence {
    /// The panel; `None` if no callback is missing.
    pub fn new(figures: &Figures, now: Timestamp) -> Option<Self> {
        let steps = figures.steps.as_ref()?;
        let usual = figures.usual;
        let a_minute = usual.map(|usual| 60.0 / usual.every.as_secs_f64().max(1e-3));
        Some(Self {
            last: figures.last_accepted,
            ago: figures.silent(now).map(in_words).unwrap_or_default(),
            every: usual.map(|usual| in_words(usual.every)),
            longest_gap: usual.map(|usual| in_words(usual.longest_gap)),
            chart: Some(Chart::new(steps, a_minute)).filter(|chart| !chart.bars.is_empty()),
        })
    }
}

impl Chart {
    fn new(steps: &Steps, usual: Option<f64>) -> Self {
        let a_minute = |count: u64| count as f64 / Steps::MINUTES as f64;
        let highest = steps.counts.iter().map(|counts| a_minute(counts.all()));
        let most = round_up(highest.chain(usual).fold(1.0, f64::max));
        let width = 1.0 / steps.counts.len() as f64;
        let start = |step: usize| start_of(steps.first + step as i64 * Steps::MINUTES);
        let bar = |step: usize, class, count: u64, below: f64, word: &str| {
            let height = a_minute(count) / most;
            let title = format!("{} {:.0} {word}", minute(start(step)), a_minute(count));
            let x = width * (step as f64 + (1.0 - BAR) / 2.0);
            let y = 1.0 - below - height;
            (count > 0).then_some(Bar { class, x, width: width * BAR, y, height, title })
        };
        let bars = steps.counts.iter().enumerate().flat_map(|(step, counts)| {
            let below = a_minute(counts.accepted) / most;
            let accepted = bar(step, "b-ok", counts.accepted, 0.0, "accepted");
            [accepted, bar(step, "b-fail", counts.rejected, below, "rejected")]
        });
        let row = |(place, counts): (usize, &[Counts])| {
            let minutes = (counts.len() as i64 * Steps::MINUTES) as f64;
            let a_minute = |count: fn(&Counts) -> u64| {
                (counts.iter().map(count).sum::<u64>() as f64 / minutes).round() as u64
            };
            Row {
                from: minute(start(place * STEPS_A_ROW)),
                accepted: a_minute(|counts| counts.accepted),
                rejected: a_minute(|counts| counts.rejected),
                usual: usual.map(|usual| usual.round() as u64),
            }
        };
        let last = steps.counts.len() - 1;
        Self {
            most: most as u64,
            bars: bars.flatten().collect(),
            usual: usual.map(|usual| 1.0 - usual / most),
            rows: steps.counts.chunks(STEPS_A_ROW).enumerate().map(row).collect(),
            times: [0, last / 3, last * 2 / 3, last].map(|step| minute(start(step))),
            description: format!(
                "Callbacks a minute, from {} to {}. The figures are in the table below.",
                minute(start(0)),
                minute(start(last))
            ),
        }
    }
}

/// The next number that an axis may end with; it can be halved.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let round = ROUND.iter().map(|round| round * power).find(|round| *round >= value);
    round.unwrap_or(value).max(2.0)
}
