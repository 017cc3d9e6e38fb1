//! Small bars of numbers, in shares of their width and height.

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

#[cfg(test)]
mod tests {
    use super::spark;

    #[test]
    fn bars_share_a_scale_and_the_lowest_can_be_seen() {
        let bars = spark(&[0, 1, 40, 20], 40, Some(3));
        let shown: Vec<_> = bars.iter().map(|bar| (bar.height, bar.is_highlighted)).collect();
        assert_eq!(shown, [(0.06, false), (1.0, false), (0.5, true)]);
        assert_eq!(bars[0].x, 1.1 / 4.0);
    }
}
