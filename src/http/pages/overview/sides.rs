//! The parties that may be responsible for failures, as the overview groups them.

use super::failures::{Failures, Traffic};
use super::period::Steps;
use crate::domain::error_code::Responsibility;
use crate::report::{Report, RowKey};

/// A side with its failures.
pub struct Side {
    pub name: &'static str,
    /// What it is responsible for.
    pub what: &'static str,
    /// Its failures at the beginning of a sentence.
    pub failures_named: &'static str,
    /// Where its failures happened.
    pub whose: &'static str,
    /// Itself within a sentence.
    pub subject: &'static str,
    faults: &'static [Responsibility],
    pub failures: Failures,
}

/// The words of a side, and which responsibilities are its own.
type Words = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [Responsibility],
);

const SIDES: [Words; 6] = [
    (
        "Us",
        "content, senders, account",
        "Failures on our own side",
        "on our own side",
        "our own side",
        &[Responsibility::Sender, Responsibility::Configuration],
    ),
    (
        "Twilio",
        "itself",
        "Failures at Twilio",
        "on Twilio’s side",
        "Twilio",
        &[Responsibility::Twilio],
    ),
    (
        "Carrier",
        "filters and congestion",
        "Carrier failures",
        "on the carrier’s side",
        "the carriers",
        &[Responsibility::Carrier],
    ),
    (
        "Channel",
        "such as Meta",
        "Channel failures",
        "on the channel’s side",
        "the channels",
        &[Responsibility::Channel],
    ),
    (
        "Recipient",
        "number, handset, person",
        "Recipient failures",
        "on the recipient’s side",
        "the recipients",
        &[Responsibility::Recipient],
    ),
    (
        "Unknown",
        "the code does not say",
        "Failures for unknown reasons",
        "for unknown reasons",
        "failures for unknown reasons",
        &[Responsibility::Unknown],
    ),
];

impl Side {
    /// Every side, from a report by `fault` and hours.
    pub fn all(report: &Report, steps: Steps) -> Vec<Self> {
        let side = |(name, what, failures_named, whose, subject, faults): Words| Self {
            name,
            what,
            failures_named,
            whose,
            subject,
            faults,
            failures: Failures::of(report, |key| is_of(key, faults), steps),
        };
        SIDES.map(side).into()
    }

    /// True if the value of `fault` in a report is this side's.
    pub fn has(&self, key: &RowKey) -> bool {
        is_of(key, self.faults)
    }

    /// The side with most of the rise, if there is one: at least 20 messages, at least half of all rises
    /// together, and at least twice as many as the side had before.
    pub fn that_rose(sides: &[Self], traffic: Traffic) -> Option<&Self> {
        const RISE_MIN: f64 = 20.0;
        let rise = |side: &&Self| side.failures.rise(traffic);
        let all: f64 = sides.iter().map(|side| rise(&side).max(0.0)).sum();
        sides.iter().max_by(|a, b| rise(a).total_cmp(&rise(b))).filter(|side| {
            let (rise, before) = (rise(side), side.failures.before as f64);
            rise >= RISE_MIN && rise >= all / 2.0 && rise >= 2.0 * before
        })
    }
}

fn is_of(key: &RowKey, faults: &[Responsibility]) -> bool {
    matches!(key, RowKey::Text(name) if faults.iter().any(|fault| fault.name() == name))
}

#[cfg(test)]
mod tests {
    use super::{SIDES, Side};
    use crate::domain::error_code::Responsibility;
    use crate::http::pages::overview::failures::{Failures, Traffic};

    const SAME: Traffic = Traffic { now: 13_000, before: 13_000 };

    /// Sides with these numbers of failures now and before.
    fn sides(numbers: [(i64, i64); 6]) -> Vec<Side> {
        let side = |((name, what, failures_named, whose, subject, faults), (now, before))| Side {
            name,
            what,
            failures_named,
            whose,
            subject,
            faults,
            failures: Failures { steps: vec![now], now, before, most_before: before },
        };
        SIDES.into_iter().zip(numbers).map(side).collect()
    }

    fn rose(numbers: [(i64, i64); 6]) -> Option<&'static str> {
        Side::that_rose(&sides(numbers), SAME).map(|side| side.name)
    }

    #[test]
    fn every_responsibility_has_one_side() {
        for fault in Responsibility::ALL {
            let own = SIDES.iter().filter(|(.., faults)| faults.contains(&fault));
            assert_eq!(own.count(), 1, "{fault:?}");
        }
    }

    #[test]
    fn the_side_with_most_of_the_rise_is_named() {
        let calm = [(26, 29), (5, 2), (30, 30), (7, 11), (281, 301), (28, 34)];
        assert_eq!(rose(calm), None);
        let with_carrier = |now, before| {
            let mut numbers = calm;
            numbers[2] = (now, before);
            numbers
        };
        assert_eq!(rose(with_carrier(278, 30)), Some("Carrier"));
        assert_eq!(rose(with_carrier(21, 2)), None, "fewer than 20 more");
        assert_eq!(rose(with_carrier(89, 30)), None, "less than twice as many more");
        let mut two = with_carrier(278, 30);
        two[3] = (400, 11);
        assert_eq!(rose(two), Some("Channel"), "over half of the rise");
        two[5] = (400, 34);
        assert_eq!(rose(two), None, "no side has half of it");
    }

    #[test]
    fn it_rose_in_the_first_step_with_far_more_than_ever_before() {
        let in_step = |steps: &[i64], most_before| {
            let mut side = sides([(0, 0); 6]).remove(2);
            side.failures.steps = steps.to_vec();
            side.failures.most_before = most_before;
            side.failures.rose_in_step()
        };
        assert_eq!(in_step(&[2, 5, 71, 195], 5), Some(2));
        assert_eq!(in_step(&[2, 5, 10], 0), None, "10 are few");
        assert_eq!(in_step(&[2, 5, 71, 195], 40), Some(3), "as many as 40 were usual");
    }
}
