//! How events of a simulation are told from others: by the User-Agent that they were sent with. It
//! is not signed, so it tells a demonstration from the rest, and nothing about who sent either.

use super::{NewEvent, Source};

/// What the User-Agent of our own simulated traffic begins with; a version follows.
pub const USER_AGENT_PREFIX: &str = "delivery-ledger-simulate/";

/// Whether a simulation sent this event.
pub fn is_simulated(event: &NewEvent) -> bool {
    let by_simulation = |value: &[u8]| value.starts_with(USER_AGENT_PREFIX.as_bytes());
    event.source == Source::Callback && event.headers.get("user-agent").is_some_and(by_simulation)
}
