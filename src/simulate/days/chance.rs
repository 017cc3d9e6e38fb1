//! Random numbers of the distributions that waiting times have.

use std::f64::consts::TAU;

use fastrand::Rng;

/// True with this probability.
pub fn happens(share: f64, rng: &mut Rng) -> bool {
    rng.f64() < share
}

/// A log-normally distributed number; `sigma` is the standard deviation of its logarithm.
pub fn log_normal(median: f64, sigma: f64, rng: &mut Rng) -> f64 {
    // Box and Muller's method.
    let radius = (-2.0 * above_zero(rng).ln()).sqrt();
    median * (sigma * radius * (TAU * rng.f64()).cos()).exp()
}

/// An exponentially distributed number.
pub fn exponential(mean: f64, rng: &mut Rng) -> f64 {
    -mean * above_zero(rng).ln()
}

/// The place of a weighted choice.
pub fn choose(weights: impl Iterator<Item = f64> + Clone, rng: &mut Rng) -> usize {
    let mut left = rng.f64() * weights.clone().sum::<f64>();
    let chosen = weights.clone().position(|weight| {
        left -= weight;
        left < 0.0
    });
    chosen.unwrap_or_else(|| weights.count() - 1)
}

fn above_zero(rng: &mut Rng) -> f64 {
    1.0 - rng.f64()
}
