//! Reads the end of a log again that was reopened after an error. Views may have read events of a damaged
//! write-ahead log before anybody noticed; the events that were acknowledged are back in the log by then.

use super::ProjectionError;
use super::verify::tree::root_read_again;
use crate::domain::{Position, Rule};
use crate::store::{Store, StoreError};

/// Empties the views, and logs a warning, if the log is not what they have read. Only its events after a position are
/// read again.
pub fn reset_if_misread(
    store: &dyn Store,
    rule: Rule,
    after: Position,
) -> Result<(), ProjectionError> {
    let checkpoint = store.views().checkpoint()?;
    let position = checkpoint.position;
    let root = match root_read_again(store, position, after) {
        Err(ProjectionError::Store(StoreError::DamagedViews { .. })) => None,
        root => Some(root?),
    };
    if root != Some(checkpoint.tree.root()) {
        tracing::warn!(
            after,
            position,
            "the views have read events as they were while the log was damaged; the views are rebuilt from the log"
        );
        store.views().reset(rule)?;
    }
    Ok(())
}
