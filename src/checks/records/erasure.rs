//! Checks whether an erasure was interrupted.

use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::projection::erased::ErasureState;
use crate::text::number;

/// What was erased, and whether every trace of it is removed.
pub fn erasure(context: &CheckContext) -> Vec<Finding> {
    let Some(store) = context.store() else { return Vec::new() };
    let state = match ErasureState::read(store) {
        Ok(state) => state,
        Err(error) => return vec![Finding::warn(error.to_string(), "see the other checks")],
    };
    if state.unfinished {
        return vec![Finding::fail(
            "an erasure was interrupted: traces of what it erased may be left in files of the ledger",
            "run the same erase command again, which finishes it",
        )];
    }
    match store.erasing().erased_count() {
        Ok(0) | Err(_) => Vec::new(),
        Ok(events) => vec![Finding::ok(format!("{} events are erased", number(events)))],
    }
}
