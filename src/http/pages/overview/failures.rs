//! Failures over time, of one responsible side or one error code, and whether they changed beyond chance.

use super::period::Steps;
use crate::http::pages::frame::chance::STANDARD_ERRORS_MIN;
use crate::report::{Figures, Report, RowKey};

/// Failed and undelivered messages in the steps of a period, and in the period before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failures {
    /// In each step.
    pub steps: Vec<i64>,
    pub now: i64,
    pub before: i64,
    /// The most in one step of the period before.
    pub most_before: i64,
}

/// How many messages there were in the period and in the one before: other numbers are compared with those
/// before as if there had been as many messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    pub now: i64,
    pub before: i64,
}

impl Failures {
    /// The failures of a report by a property and the steps' dimension, in its rows with this key.
    pub fn of(report: &Report, is_wanted: impl Fn(&RowKey) -> bool, steps: Steps) -> Self {
        let mut now = vec![0; steps.len()];
        let mut before = vec![0; steps.len()];
        for row in report.rows.iter().filter(|row| is_wanted(&row.keys[0])) {
            let Some(RowKey::Number(number)) = row.keys.get(1) else { continue };
            let Some(step) = steps.step_of(*number) else { continue };
            now[step] += row.figures.not_reached();
            before[step] += row.compared.as_ref().map_or(0, Figures::not_reached);
        }
        Self {
            now: now.iter().sum(),
            before: before.iter().sum(),
            most_before: before.iter().copied().max().unwrap_or_default(),
            steps: now,
        }
    }

    /// The most in one step.
    pub fn most(&self) -> i64 {
        self.steps.iter().copied().max().unwrap_or_default()
    }

    /// The first step with far more failures than any step before: over twice as many, and over 10.
    pub fn rose_in_step(&self) -> Option<usize> {
        const FAILURES_MIN: i64 = 10;
        let mut most = self.most_before;
        self.steps.iter().position(|failures| {
            let rose = *failures > FAILURES_MIN && *failures > 2 * most;
            most = most.max(*failures);
            rose
        })
    }

    /// The difference to the period before.
    pub fn change(&self) -> i64 {
        self.now - self.before
    }

    /// How many more there are than the traffic explains; negative if fewer.
    pub fn rise(&self, traffic: Traffic) -> f64 {
        self.now as f64 - traffic.scaled(self.before)
    }

    /// True if the numbers differ by more than chance explains.
    pub fn has_changed(&self, traffic: Traffic) -> bool {
        let error = (self.now as f64 + traffic.scaled(self.before)).sqrt();
        self.rise(traffic).abs() > STANDARD_ERRORS_MIN * error
    }

    /// True if there are more than chance explains.
    pub fn is_worse(&self, traffic: Traffic) -> bool {
        self.has_changed(traffic) && self.rise(traffic) > 0.0
    }
}

impl Traffic {
    /// A number of the period before, as if there had been as many messages as now.
    pub fn scaled(self, before: i64) -> f64 {
        match self.before {
            0 => before as f64,
            messages => before as f64 * self.now as f64 / messages as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Failures, Traffic};

    fn failures(now: i64, before: i64) -> Failures {
        Failures { steps: vec![now], now, before, most_before: before }
    }

    #[test]
    fn a_rise_is_what_the_traffic_does_not_explain() {
        let twice = Traffic { now: 2_000, before: 1_000 };
        assert_eq!(failures(60, 30).rise(twice), 0.0);
        assert_eq!(failures(90, 30).rise(twice), 30.0);
        assert_eq!(failures(9, 0).rise(Traffic { now: 100, before: 0 }), 9.0);
    }

    #[test]
    fn small_differences_are_chance() {
        let same = Traffic { now: 13_000, before: 13_000 };
        assert!(failures(278, 30).is_worse(same));
        assert!(!failures(281, 301).has_changed(same));
        assert!(failures(30, 278).has_changed(same) && !failures(30, 278).is_worse(same));
        assert!(!failures(5, 2).has_changed(same));
    }
}
