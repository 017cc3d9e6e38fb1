//! Whether a delivery rate is worse than before by more than chance explains.

use crate::report::Figures;

/// Rates of fewer messages with an outcome are not compared: one message would be two points.
pub const OUTCOMES_MIN: i64 = 50;

/// A smaller fall is not worth a mark, however certain it is: a point.
pub const FALL_MIN: f64 = 0.01;

/// Differences of fewer standard errors may be chance.
pub const STANDARD_ERRORS_MIN: f64 = 3.0;

/// The messages with an outcome.
pub fn outcomes(figures: &Figures) -> i64 {
    figures.reached() + figures.not_reached()
}

/// True if the delivery rate is lower than before by more than a point, and by more than three standard errors
/// of the two rates.
pub fn rate_fell(now: &Figures, before: &Figures) -> bool {
    let rates = now.delivery_rate().zip(before.delivery_rate());
    rates.is_some_and(|(rate, was)| fell((rate, outcomes(now)), (was, outcomes(before))))
}

/// The same for rates and the numbers of messages with an outcome.
fn fell((rate, number): (f64, i64), (was, number_before): (f64, i64)) -> bool {
    let variance = |rate: f64, number: i64| rate * (1.0 - rate) / number as f64;
    let error = (variance(rate, number) + variance(was, number_before)).sqrt();
    let fall = was - rate;
    number >= OUTCOMES_MIN && fall > FALL_MIN && fall > STANDARD_ERRORS_MIN * error
}

#[cfg(test)]
mod tests {
    use super::fell;

    #[test]
    fn a_fall_counts_if_it_is_over_a_point_and_beyond_chance() {
        assert!(fell((0.940, 19_824), (0.966, 300_000)));
        assert!(!fell((0.957, 1_600), (0.962, 24_000)), "half a point");
        assert!(!fell((0.90, 49), (0.999, 300_000)), "too few outcomes");
        assert!(!fell((0.92, 60), (0.966, 300_000)), "it may be chance");
        assert!(!fell((0.98, 50), (1.0, 400)), "one failure, the first");
        assert!(!fell((0.99, 1_000), (0.95, 1_000)), "a rise");
    }
}
