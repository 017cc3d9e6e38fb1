//! The direction of a message, from the status and direction in an event.

use smol_str::SmolStr;

use crate::domain::Status;
use crate::domain::message::status_reported::Direction;

/// The statuses of inbound messages
/// (<https://www.twilio.com/docs/messaging/api/message-resource#message-status-values>).
const INBOUND_STATUSES: [&str; 2] = ["receiving", "received"];

/// The status of this name, or the unrecognised word.
pub fn evidence(word: &str) -> (Option<Status>, Option<SmolStr>) {
    match Status::parse(word) {
        Some(status) => (Some(status), None),
        None => (None, Some(SmolStr::new(word))),
    }
}

/// The direction of a message by its status. An unrecognised word may be a new status of an outbound
/// message.
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

/// The direction of a Message resource, and its status or unrecognised word. The status of an inbound
/// message is always returned as an unrecognised word.
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

/// True for `inbound`, which the API uses, and `incoming`, which the Console uses.
fn is_inbound(way: &str) -> bool {
    let way = way.trim().to_ascii_lowercase();
    way.starts_with("inbound") || way.starts_with("incoming")
}
