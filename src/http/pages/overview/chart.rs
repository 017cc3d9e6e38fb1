//! The overview's chart of messages by outcome, and the scale of its durations.

use super::period::Steps;
use crate::http::pages::frame::stacks::Outcomes;
use crate::report::{Figures, Report, RowKey};

/// The messages of each step, from a report by the steps' dimension.
pub fn outcomes(report: &Report, steps: Steps) -> Vec<Outcomes> {
    let none = Outcomes { before: Some(0), ..Outcomes::default() };
    let mut outcomes = vec![none; steps.len()];
    for row in &report.rows {
        let Some(RowKey::Number(number)) = row.keys.first() else { continue };
        let Some(step) = steps.step_of(*number).and_then(|step| outcomes.get_mut(step)) else {
            continue;
        };
        step.messages += row.figures.messages();
        step.reached += row.figures.reached();
        step.open += row.figures.open();
        step.failed += row.figures.not_reached();
        *step.before.get_or_insert_default() += row.compared.as_ref().map_or(0, Figures::messages);
    }
    outcomes
}

/// The place of a duration on a logarithmic scale from 0.1 s to 100 s.
pub fn log_place(ms: u64) -> f64 {
    const DECADES: f64 = 3.0;
    let tenths = ms.max(1) as f64 / 100.0;
    (tenths.log10() / DECADES).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::log_place;

    #[test]
    fn durations_are_placed_by_their_magnitude() {
        let places = [50, 100, 1_000, 10_000, 100_000, 1_000_000].map(log_place);
        for (place, expected) in places.into_iter().zip([0.0, 0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0, 1.0])
        {
            assert!((place - expected).abs() < 1e-9, "{place} {expected}");
        }
    }
}
