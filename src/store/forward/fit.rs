//! Whether the states of targets belong to the log next to them. After a restore they may have read further
//! than the log goes now, or another log.

use uuid::Uuid;

use super::{ForwardStore, ReadTo, TargetState};
use crate::domain::Position;
use crate::store::{Store, StoreError};

/// Has every target that has read beyond the end of the log continue after the end, and logs a warning for each.
/// It has to be done before anything is appended: later the positions have other events.
pub fn continue_at_end(
    store: &dyn Store,
    forward: &mut dyn ForwardStore,
) -> Result<(), StoreError> {
    // The head is read last: meanwhile another node may receive events, and send them.
    let targets = forward.targets()?;
    let head = store.head()?;
    for TargetState { name, ledger_id, read_to, .. } in targets {
        if ledger_id == store.ledger_id() && read_to.position > head {
            let end = place(store, head)?;
            let forgotten = forward.cut_off(&name, end)?;
            tracing::warn!(
                "the target {name} had been sent events up to position {}, and the log ends at {head}: \
                 it continues after that; unaccepted events forgotten: {forgotten}",
                read_to.position
            );
        }
    }
    Ok(())
}

/// Does the same, and removes the states of targets that have read another log, with a warning for each.
pub fn fit_to_log(store: &dyn Store, forward: &mut dyn ForwardStore) -> Result<(), StoreError> {
    continue_at_end(store, forward)?;
    for target in forward.targets()? {
        if !is_of_log(store, &target)? {
            forward.remove(&target.name)?;
            tracing::warn!(
                "the target {} had been sent events of another log: it begins anew, with the \
                 position that is configured as `from`",
                target.name
            );
        }
    }
    Ok(())
}

/// Whether this is the log that a target has read: it has the event that the target read last.
pub fn is_of_log(store: &dyn Store, target: &TargetState) -> Result<bool, StoreError> {
    let ReadTo { position, event_id: read } = target.read_to;
    match event_id(store, position) {
        Ok(in_log) => Ok(target.ledger_id == store.ledger_id() && in_log == read),
        Err(StoreError::NoSuchEvent { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A place in the log.
pub fn place(store: &dyn Store, position: Position) -> Result<ReadTo, StoreError> {
    Ok(ReadTo { position, event_id: event_id(store, position)? })
}

fn event_id(store: &dyn Store, position: Position) -> Result<Option<Uuid>, StoreError> {
    match position {
        0 => Ok(None),
        _ => Ok(store.read_at(&[position])?.first().map(|event| event.event_id)),
    }
}
