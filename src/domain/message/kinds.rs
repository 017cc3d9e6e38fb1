//! What kinds of events are known of a message, and when Twilio created it.
//!
//! Every fact here is a union or a minimum, so that it depends on which events came and not on
//! their order.

use crate::domain::message::status_reported::{Direction, Label, StatusReported};
use crate::domain::{Status, Timestamp};

/// What kinds of events a message has, and when Twilio created it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventKinds {
    /// An event is about an outbound message.
    pub outbound: bool,
    /// An event is about an inbound message.
    pub inbound: bool,
    /// An event was not sent by a simulation.
    pub real: bool,
    /// An import brought an event.
    pub imported: bool,
    /// The earliest moment at which Twilio says that it created the message.
    pub created_at: Option<Timestamp>,
}

/// Twilio was founded in 2008; an earlier date, such as a spreadsheet's 1900, dates no message.
const FIRST_CREATED_AT: Timestamp = Timestamp::from_micros(1_199_145_600_000_000);

impl EventKinds {
    /// Adds what one event says.
    pub fn record(&mut self, reported: &StatusReported) {
        self.outbound |= reported.direction == Direction::Outbound;
        self.inbound |= reported.direction == Direction::Inbound;
        self.real |= !reported.simulated;
        self.imported |= reported.imported;
        self.record_created_at(reported.created_at);
    }

    /// Adds what other events said.
    pub fn merge(&mut self, other: EventKinds) {
        self.outbound |= other.outbound;
        self.inbound |= other.inbound;
        self.real |= other.real;
        self.imported |= other.imported;
        self.record_created_at(other.created_at);
    }

    fn record_created_at(&mut self, created_at: Option<Timestamp>) {
        let plausible = created_at.filter(|at| *at >= FIRST_CREATED_AT);
        self.created_at = match (self.created_at, plausible) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
    }

    /// Whether the only statuses are inbound. One outbound status makes it an outbound message.
    pub fn is_inbound(self) -> bool {
        self.inbound && !self.outbound
    }

    /// Whether no event reported a status, so that nothing shows which way the message went.
    pub fn has_no_status(self) -> bool {
        !self.inbound && !self.outbound
    }

    /// Whether every event was sent by a simulation.
    pub fn is_simulated(self) -> bool {
        !self.real
    }

    /// Whether an outbound message of this status has an outcome that is not known yet. What is not
    /// known to be outbound is never open.
    pub fn is_open(self, status: Option<Status>) -> bool {
        self.outbound && !status.is_some_and(Status::is_settled)
    }

    /// From when on the age of a message counts: Twilio's date if there is one. A message cannot be
    /// younger than its first event, whatever a date says.
    pub fn began_at(self, first_received_at: Timestamp) -> Timestamp {
        self.created_at.map_or(first_received_at, |created| created.min(first_received_at))
    }

    /// The labels of a message.
    pub fn labels(self) -> impl Iterator<Item = Label> {
        let inbound = self.is_inbound().then_some(Label::Inbound);
        inbound.into_iter().chain(self.is_simulated().then_some(Label::Simulated))
    }
}
