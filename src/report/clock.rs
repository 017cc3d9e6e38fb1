//! The clocks of a report: when a message counts, and which durations it has.

use crate::domain::Timestamp;
use crate::domain::message::filter::MessageFilter;
use crate::domain::message::message_ref::MessageRef;
use crate::domain::message::status_times::StatusTimes;
use crate::domain::rollup::{Contribution, durations};
use crate::text::number;

/// Whose times a report uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// When the ledger received the events.
    #[default]
    Ledger,
    /// When it happened according to Twilio. A message of which Twilio gives no time counts when its first
    /// event arrived.
    Twilio,
}

impl Clock {
    /// Every clock.
    pub const ALL: [Clock; 2] = [Clock::Ledger, Clock::Twilio];

    /// What is expected of a text that names a clock.
    pub const EXPECTED: &str = "`ledger` or `twilio`";

    /// The name used in flags, queries and reports.
    pub fn name(self) -> &'static str {
        match self {
            Clock::Ledger => "ledger",
            Clock::Twilio => "twilio",
        }
    }

    /// The clock with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|clock| clock.name() == name)
    }

    /// Which times a report has whose clock knows the time of so many of its messages; `None` for the ledger's,
    /// which knows all.
    pub fn sentence(self, known: i64, messages: i64) -> Option<String> {
        let [known, messages] = [known, messages].map(|count| count.unsigned_abs());
        match self {
            Clock::Ledger => None,
            Clock::Twilio if known == messages => Some("Times are Twilio's.".to_owned()),
            Clock::Twilio => Some(format!(
                "Times are Twilio's for {} of {} messages, and the arrival's for the others.",
                number(known),
                number(messages)
            )),
        }
    }

    /// When a message began by this clock; `None` if that is not known.
    pub fn time_of(self, message: &MessageRef<'_>) -> Option<Timestamp> {
        match self {
            Clock::Ledger => Some(message.first_received_at),
            Clock::Twilio => message.occurred_at(),
        }
    }

    /// What a message contributes, with durations by this clock.
    pub fn contribution(self, message: &MessageRef<'_>) -> Contribution {
        let contribution = Contribution::from_message(message);
        if self == Clock::Ledger {
            return contribution;
        }
        let none = StatusTimes::default();
        let times = message.details.known().map_or(&none, |known| &known.occurred_times);
        let [time_to_sent, sent_to_delivered] = durations(times);
        Contribution { time_to_sent, sent_to_delivered, ..contribution }
    }
}

/// A filter in two parts: the period, which applies to the time by a report's clock, and the rest.
#[derive(Debug, Clone)]
pub struct ClockFilter {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    rest: MessageFilter,
}

impl ClockFilter {
    /// The parts of a filter.
    pub fn new(filter: &MessageFilter) -> Self {
        let MessageFilter { since, until, .. } = *filter;
        Self { since, until, rest: MessageFilter { since: None, until: None, ..filter.clone() } }
    }

    /// Whether the filter matches a message that began at this time.
    pub fn matches(&self, message: &MessageRef<'_>, at: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= at)
            && self.until.is_none_or(|until| at < until)
            && self.rest.matches(message)
    }
}
