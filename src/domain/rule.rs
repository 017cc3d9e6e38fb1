//! The precedence rule: whether success or failure is shown for a message that has both.

use super::Status;

/// The order of precedence of statuses. Twilio documents neither: users report `delivered` after
/// `undelivered` for one message, and the reverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// The strongest failure wins over everything else.
    #[default]
    FailureTerminal,
    /// Any success wins over every failure.
    DeliveryWins,
}

impl Rule {
    /// Every variant, the default first.
    pub const ALL: [Rule; 2] = [Rule::FailureTerminal, Rule::DeliveryWins];

    /// The rule with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The name used in configuration and output.
    pub fn name(self) -> &'static str {
        match self {
            Rule::FailureTerminal => "failure-terminal",
            Rule::DeliveryWins => "delivery-wins",
        }
    }

    /// The rank of a status: the reported status with the highest rank is shown. `None`, for an event
    /// without a recognised status, ranks lowest.
    pub fn rank(self, status: Option<Status>) -> u8 {
        let Some(status) = status else { return 0 };
        let step = 1 + status as u8;
        match self {
            Rule::DeliveryWins if status.is_success() => step + Status::ALL.len() as u8,
            _ => step,
        }
    }
}
