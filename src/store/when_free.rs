//! Appends that wait for other processes that write.

use std::time::{Duration, Instant};

use super::{Store, StoreError};
use crate::domain::{NewEvent, Position};

/// How long [`append_when_free`] waits for other processes that write.
const APPEND_PATIENCE: Duration = Duration::from_secs(60);

/// Appends events, all or none, and returns the position of the last. While other processes write, it
/// tries again for up to `APPEND_PATIENCE`.
pub fn append_when_free(store: &dyn Store, events: &[NewEvent]) -> Result<Position, StoreError> {
    when_free(&mut || store.append(events))
}

/// Repeats an append for up to `APPEND_PATIENCE` while other processes write.
pub fn when_free(
    append: &mut dyn FnMut() -> Result<Position, StoreError>,
) -> Result<Position, StoreError> {
    let deadline = Instant::now() + APPEND_PATIENCE;
    loop {
        match append() {
            Err(StoreError::Busy) if Instant::now() < deadline => {}
            outcome => return outcome,
        }
    }
}
