//! Acknowledged events that a log has lost, and whether the copy in memory still has them.

use std::path::Path;

use crate::domain::{NewEvent, Position};
use crate::store::sqlite::log::append::Last;
use crate::store::sqlite::place;
use crate::store::{RecentAppends, StoreError};

/// The acknowledged events that are no longer in the log, from the copy; an error if it lacks any.
pub fn missing(
    path: &Path,
    found: Last,
    (base, last): (Last, Last),
    recent: &RecentAppends,
) -> Result<Vec<NewEvent>, StoreError> {
    if found.position >= last.position {
        return Ok(Vec::new());
    }
    let missing = recent.after((found.position, found.id), (base.position, base.id));
    let due = (last.position - found.position) as usize;
    let missing = missing.filter(|events| {
        events.len() >= due && events.get(due - 1).map(|event| event.event_id) == last.id
    });
    missing.ok_or_else(|| lost(path, found, last))
}

/// The error for missing events.
pub fn lost(path: &Path, found: Last, last: Last) -> StoreError {
    let detail = match found.position < last.position {
        true => format!(
            "it ends at position {}, and events up to {} were acknowledged",
            found.position, last.position
        ),
        false => format!("another event is at position {}", last.position),
    };
    StoreError::LostEvents { place: place(path), detail }
}

/// Logs that events were appended again.
pub fn report_appended_again(events: usize, head: Position) {
    if events > 0 {
        tracing::warn!(
            events,
            head,
            "events that the write-ahead log has lost were appended again from memory, at their positions"
        );
    }
}
