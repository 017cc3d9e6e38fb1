//! The overview's charts, in shares of their width and height.

use super::period::Steps;
use crate::domain::Timestamp;
use crate::report::{Figures, Report, RowKey};

/// The part of a step that its bar leaves free on each side.
const GAP: f64 = 0.1;

/// A lower bar could not be seen.
const HEIGHT_MIN: f64 = 0.06;

/// A bar of one tone.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub is_highlighted: bool,
}

/// Small bars of numbers on a scale, those from one on highlighted. Zeros have none.
pub fn spark(numbers: &[i64], scale: i64, highlight_from: Option<usize>) -> Vec<Bar> {
    let steps = numbers.len() as f64;
    let bar = |(place, number): (usize, &i64)| {
        let height = (*number as f64 / scale.max(1) as f64).clamp(HEIGHT_MIN, 1.0);
        (*number > 0).then(|| Bar {
            x: (place as f64 + GAP) / steps,
            y: 1.0 - height,
            width: (1.0 - 2.0 * GAP) / steps,
            height,
            is_highlighted: highlight_from.is_some_and(|from| place >= from),
        })
    };
    numbers.iter().enumerate().filter_map(bar).collect()
}

/// The messages of one step by outcome, and those in the same step of the period before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Count {
    pub starts_at: Option<Timestamp>,
    pub messages: i64,
    pub reached: i64,
    pub open: i64,
    pub failed: i64,
    pub before: i64,
}

impl Count {
    /// The delivery rate; `None` without an outcome.
    pub fn rate(&self) -> Option<f64> {
        let outcomes = self.reached + self.failed;
        (outcomes > 0).then(|| self.reached as f64 / outcomes as f64)
    }
}

/// The counts of each step, from a report by hour.
pub fn counts(report: &Report, steps: Steps) -> Vec<Count> {
    let mut counts: Vec<_> = (0..steps.len())
        .map(|step| Count { starts_at: Some(steps.starts_at(step)), ..Count::default() })
        .collect();
    for row in &report.rows {
        let Some(RowKey::Number(number)) = row.keys.first() else { continue };
        let Some(count) = steps.step_of(*number).and_then(|step| counts.get_mut(step)) else {
            continue;
        };
        count.messages += row.figures.messages();
        count.reached += row.figures.reached();
        count.open += row.figures.open();
        count.failed += row.figures.not_reached();
        count.before += row.compared.as_ref().map_or(0, Figures::messages);
    }
    counts
}

/// Stacked bars of a count.
pub struct Stack {
    pub count: Count,
    pub x: f64,
    pub width: f64,
    /// The y and height of each part: reached, open and failed.
    pub parts: [(f64, f64); 3],
    /// The line of the period before: from, to, and its height here and in the step before.
    pub was: (f64, f64, f64, Option<f64>),
}

/// The chart of messages by time and outcome.
pub struct Stacks {
    /// The highest number of the axis; a multiple of three.
    pub scale: i64,
    pub stacks: Vec<Stack>,
}

impl Stacks {
    /// The chart of these counts.
    pub fn new(counts: &[Count]) -> Self {
        let most = counts.iter().map(|count| count.messages.max(count.before)).max();
        let scale = round_scale(most.unwrap_or_default());
        let steps = counts.len() as f64;
        let height = |number: i64| number as f64 / scale as f64;
        let mut last = None;
        let stack = |(place, count): (usize, &Count)| {
            let x = place as f64 / steps;
            let mut top = 1.0;
            let parts = [count.reached, count.open, count.failed].map(|number| {
                top -= height(number);
                (top, height(number))
            });
            let was = 1.0 - height(count.before);
            Stack {
                count: count.clone(),
                x: x + GAP / steps,
                width: (1.0 - 2.0 * GAP) / steps,
                parts,
                was: (x, x + 1.0 / steps, was, last.replace(was)),
            }
        };
        Self { scale, stacks: counts.iter().enumerate().map(stack).collect() }
    }

    /// The numbers of the axis, from the top.
    pub fn axis(&self) -> [i64; 4] {
        [3, 2, 1, 0].map(|third| self.scale / 3 * third)
    }
}

/// The next multiple of three that is round, so that two lines divide the axis.
fn round_scale(most: i64) -> i64 {
    let mut power = 1;
    loop {
        for round in [3, 6, 9, 12, 15, 18, 24] {
            if round * power >= most {
                return round * power;
            }
        }
        power *= 10;
    }
}

/// The place of a duration on a logarithmic scale from 0.1 s to 100 s.
pub fn log_place(ms: u64) -> f64 {
    const DECADES: f64 = 3.0;
    let tenths = ms.max(1) as f64 / 100.0;
    (tenths.log10() / DECADES).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::{Count, Stacks, log_place, round_scale, spark};

    #[test]
    fn bars_share_a_scale_and_the_lowest_can_be_seen() {
        let bars = spark(&[0, 1, 40, 20], 40, Some(3));
        let shown: Vec<_> = bars.iter().map(|bar| (bar.height, bar.is_highlighted)).collect();
        assert_eq!(shown, [(0.06, false), (1.0, false), (0.5, true)]);
        assert_eq!(bars[0].x, 1.1 / 4.0);
    }

    #[test]
    fn the_axis_is_round_and_divided_by_three() {
        for (most, scale) in [(0, 3), (3, 3), (7, 9), (985, 1_200), (1_201, 1_500), (25, 30)] {
            assert_eq!(round_scale(most), scale);
        }
        assert_eq!(
            Stacks::new(&[Count { messages: 985, ..Count::default() }]).axis(),
            [1_200, 800, 400, 0]
        );
    }

    #[test]
    fn durations_are_placed_by_their_magnitude() {
        let places = [50, 100, 1_000, 10_000, 100_000, 1_000_000].map(log_place);
        for (place, expected) in places.into_iter().zip([0.0, 0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0, 1.0])
        {
            assert!((place - expected).abs() < 1e-9, "{place} {expected}");
        }
    }
}
