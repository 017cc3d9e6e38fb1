//! The projection: reads the log and keeps the views up to date. One function, [`catch_up()`], serves the running
//! server, a start after a crash and a replay; they differ in where they begin and which views they write.

mod batch;
pub mod catch_up;
pub mod compatibility;
pub mod digest;
pub mod effects;
pub mod erased;
pub mod events_of_message;
pub mod fold;
pub mod known_facts;
pub mod message_query;
pub mod metrics;
pub mod proofs;
mod read_again;
pub mod replay;
pub mod throttle;
pub mod verify;
pub mod worker;

use crate::domain::Position;
use crate::store::StoreError;
use crate::twilio::callback::ParsedCallback;

pub use catch_up::catch_up;

/// Parses an event, for modules that do not know Twilio's formats.
pub fn read(event: &crate::domain::NewEvent) -> ParsedCallback<'_> {
    ParsedCallback::parse(event)
}

/// The reason a projection cannot continue.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum ProjectionError {
    #[error(transparent)]
    Store(#[from] StoreError),

    #[error("the log has no event at position {0} although it has later ones; run verify")]
    Gap(Position),

    #[error(
        "the event at position {0} is not the one that was read there; the log was exchanged while it was in use"
    )]
    OtherHistory(Position),

    #[error("stopped before the head was reached")]
    Stopped,
}
