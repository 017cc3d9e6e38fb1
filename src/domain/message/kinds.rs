//! The kinds of events of a message: outbound or inbound, simulated or real, imported.
//!
//! Every field is combined by union or minimum, so that the order of the events does not matter.

use crate::domain::message::status_reported::{Arrival, Direction, Label, StatusReported};
use crate::domain::{Status, Timestamp};

/// The kinds of events that a message has, and its creation date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventKinds {
    /// An event reports an outbound message.
    pub outbound: bool,
    /// An event reports an inbound message.
    pub inbound: bool,
    /// An event was not simulated.
    pub real: bool,
    /// An event was imported.
    pub imported: bool,
    /// A status callback arrived.
    pub by_callback: bool,
    /// A CloudEvent of Event Streams arrived.
    pub by_stream: bool,
    /// The earliest creation date that Twilio reported.
    pub created_at: Option<Timestamp>,
}

impl EventKinds {
    /// Adds the facts of one event.
    pub fn record(&mut self, reported: &StatusReported) {
        self.outbound |= reported.direction == Direction::Outbound;
        self.inbound |= reported.direction == Direction::Inbound;
        self.real |= !reported.simulated;
        self.imported |= reported.imported;
        self.by_callback |= reported.arrival == Arrival::Callback;
        self.by_stream |= reported.arrival == Arrival::Stream;
        self.record_created_at(reported.created_at);
    }

    /// Adds the facts of other events.
    pub fn merge(&mut self, other: EventKinds) {
        self.outbound |= other.outbound;
        self.inbound |= other.inbound;
        self.real |= other.real;
        self.imported |= other.imported;
        self.by_callback |= other.by_callback;
        self.by_stream |= other.by_stream;
        self.record_created_at(other.created_at);
    }

    fn record_created_at(&mut self, created_at: Option<Timestamp>) {
        let plausible = created_at.filter(|at| *at >= Timestamp::EARLIEST_OF_TWILIO);
        self.created_at = match (self.created_at, plausible) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
    }

    /// True if every reported status is inbound. A single outbound status makes it an outbound message.
    pub fn is_inbound(self) -> bool {
        self.inbound && !self.outbound
    }

    /// True if no event reported a status, so that the direction is unknown.
    pub fn has_no_status(self) -> bool {
        !self.inbound && !self.outbound
    }

    /// True if every event was simulated.
    pub fn is_simulated(self) -> bool {
        !self.real
    }

    /// True if the message is known to be outbound and, with this status, its outcome is not known
    /// yet.
    pub fn is_open(self, status: Option<Status>) -> bool {
        self.outbound && !status.is_some_and(Status::is_settled)
    }

    /// The start of the message's age: the earlier of Twilio's creation date and the first event.
    pub fn began_at(self, first_received_at: Timestamp) -> Timestamp {
        self.created_at.map_or(first_received_at, |created| created.min(first_received_at))
    }

    /// The labels of a message.
    pub fn labels(self) -> impl Iterator<Item = Label> {
        let inbound = self.is_inbound().then_some(Label::Inbound);
        inbound.into_iter().chain(self.is_simulated().then_some(Label::Simulated))
    }
}
