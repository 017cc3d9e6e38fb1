//! Which evidence has the last word where a message has both succeeded and failed.

use super::Status;

/// How statuses are ranked against each other. Twilio documents none of the two:
/// users report `delivered` after `undelivered` and the reverse for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// The strongest failure wins, whatever else was seen.
    #[default]
    FailureTerminal,
    /// Evidence of success wins over any failure.
    DeliveryWins,
}

impl Rule {
    /// Both rules, the default first.
    pub const ALL: [Rule; 2] = [Rule::FailureTerminal, Rule::DeliveryWins];

    /// The rule with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The name used in configuration and in every answer.
    pub fn name(self) -> &'static str {
        match self {
            Rule::FailureTerminal => "failure-terminal",
            Rule::DeliveryWins => "delivery-wins",
        }
    }

    /// The rank of a status under this rule: of all statuses seen the highest is shown.
    /// No status at all, as in an event with an unknown word, ranks lowest.
    pub fn rank(self, status: Option<Status>) -> u8 {
        let Some(status) = status else { return 0 };
        let step = 1 + status as u8;
        match self {
            Rule::DeliveryWins if status.is_success() => step + Status::ALL.len() as u8,
            _ => step,
        }
    }
}
