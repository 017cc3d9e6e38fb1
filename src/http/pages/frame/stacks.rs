//! A chart of messages by outcome: stacked bars on one scale, in shares of its width and height.

/// The part of a step that its bar leaves free on each side.
const GAP: f64 = 0.14;

/// The messages of one bar by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub messages: i64,
    pub reached: i64,
    pub open: i64,
    pub failed: i64,
    /// All messages of the period that it is compared with, if there is one.
    pub before: Option<i64>,
}

impl Outcomes {
    /// The delivery rate; `None` without an outcome.
    pub fn rate(&self) -> Option<f64> {
        let outcomes = self.reached + self.failed;
        (outcomes > 0).then(|| self.reached as f64 / outcomes as f64)
    }
}

/// A bar of three parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    pub outcomes: Outcomes,
    pub x: f64,
    pub width: f64,
    /// The y and height of each part: reached, open and failed.
    pub parts: [(f64, f64); 3],
    /// The line of the other period.
    pub was: Option<Was>,
}

/// The line of the other period over a bar: from, to, its height, and its height over the bar before.
#[derive(Debug, Clone, PartialEq)]
pub struct Was {
    pub from: f64,
    pub to: f64,
    pub y: f64,
    pub last_y: Option<f64>,
}

/// The chart.
pub struct Stacks {
    /// The highest number of the axis; a multiple of three.
    pub scale: i64,
    pub stacks: Vec<Stack>,
}

impl Stacks {
    /// The chart of these bars.
    pub fn new(bars: &[Outcomes]) -> Self {
        let most = bars.iter().map(|bar| bar.messages.max(bar.before.unwrap_or_default())).max();
        let scale = round_scale(most.unwrap_or_default());
        let step = 1.0 / bars.len().max(1) as f64;
        let height = |number: i64| number as f64 / scale as f64;
        let mut last_y = None;
        let stack = |(place, bar): (usize, &Outcomes)| {
            let x = place as f64 * step;
            let mut top = 1.0;
            let parts = [bar.reached, bar.open, bar.failed].map(|number| {
                top -= height(number);
                (top, height(number))
            });
            let was = bar.before.map(|before| {
                let y = 1.0 - height(before);
                Was { from: x, to: x + step, y, last_y: last_y.replace(y) }
            });
            Stack { outcomes: *bar, x: x + GAP * step, width: (1.0 - 2.0 * GAP) * step, parts, was }
        };
        Self { scale, stacks: bars.iter().enumerate().map(stack).collect() }
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

#[cfg(test)]
mod tests {
    use super::{Outcomes, Stacks, round_scale};

    #[test]
    fn the_axis_is_round_and_divided_by_three() {
        for (most, scale) in [(0, 3), (3, 3), (7, 9), (985, 1_200), (1_201, 1_500), (25, 30)] {
            assert_eq!(round_scale(most), scale);
        }
        let bar = Outcomes { messages: 985, ..Outcomes::default() };
        assert_eq!(Stacks::new(&[bar]).axis(), [1_200, 800, 400, 0]);
    }

    #[test]
    fn parts_are_stacked_and_the_other_period_is_a_line_of_steps() {
        let bar = |before| Outcomes { messages: 3, reached: 1, open: 1, failed: 1, before };
        let chart = Stacks::new(&[bar(Some(3)), bar(Some(0)), bar(None)]);
        let thirds = |y: f64| (y * 3.0).round() as i64;
        let tops = chart.stacks[0].parts.map(|(y, height)| (thirds(y), thirds(height)));
        assert_eq!(tops, [(2, 1), (1, 1), (0, 1)]);
        let was = chart.stacks[1].was.as_ref().unwrap();
        assert_eq!((was.y, was.last_y), (1.0, Some(0.0)));
        assert_eq!(chart.stacks[2].was, None);
    }
}
