//! Appending beside others that write, each of them for moments at a time.

use std::time::{Duration, Instant};

use super::{Store, StoreError};
use crate::domain::{NewEvent, Position};

/// How long an append waits for the others.
const PATIENCE: Duration = Duration::from_secs(60);

/// Appends events, all or none, once nobody else writes; returns the position of the last.
pub fn append_when_free(store: &dyn Store, events: &[NewEvent]) -> Result<Position, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.append(events) {
            Err(StoreError::Busy) if Instant::now() < deadline => {}
            outcome => return outcome,
        }
    }
}
