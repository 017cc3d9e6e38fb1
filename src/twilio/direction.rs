//! Which way a message went, by the words of an event, and which of these are evidence.

use smol_str::SmolStr;

use crate::domain::Status;
use crate::domain::message::status_reported::Direction;

/// The statuses of inbound messages
/// (<https://www.twilio.com/docs/messaging/api/message-resource#message-status-values>).
const INBOUND_STATUSES: [&str; 2] = ["receiving", "received"];

/// The status that a word names, or the word that names none.
pub fn evidence(word: &str) -> (Option<Status>, Option<SmolStr>) {
    match Status::parse(word) {
        Some(status) => (Some(status), None),
        None => (None, Some(SmolStr::new(word))),
    }
}

/// Which way a message went by its status; an unknown word may be a new status of an outbound one.
pub fn of_status(status: Option<Status>, unrecognised: Option<&str>) -> Direction {
    let is_inbound = |word: &str| {
        INBOUND_STATUSES.iter().any(|inbound| word.trim().eq_ignore_ascii_case(inbound))
    };
    match (status, unrecognised) {
        (Some(_), _) => Direction::Outbound,
        (None, Some(word)) if is_inbound(word) => Direction::Inbound,
        (None, Some(_)) => Direction::Outbound,
        (None, None) => Direction::Unstated,
    }
}

/// Which way the message of a resource went, by its direction and its status, and what of the status
/// is evidence: none of an inbound message, whatever it is called.
pub fn of_resource(
    way: Option<&str>,
    word: Option<&str>,
) -> (Direction, Option<Status>, Option<SmolStr>) {
    if way.is_some_and(is_inbound) {
        return (Direction::Inbound, None, word.map(SmolStr::new));
    }
    let (status, unrecognised) = word.map_or((None, None), evidence);
    let direction = match of_status(status, unrecognised.as_deref()) {
        Direction::Unstated if way.is_some() => Direction::Outbound,
        direction => direction,
    };
    (direction, status, unrecognised)
}

/// `inbound`, as the API has it, or `incoming`, as the Console does.
fn is_inbound(way: &str) -> bool {
    let way = way.trim().to_ascii_lowercase();
    way.starts_with("inbound") || way.starts_with("incoming")
}
