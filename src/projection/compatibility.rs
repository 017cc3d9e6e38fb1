//! Whether views belong to the log beside them, before anything is read on.

use std::fmt;

use uuid::Uuid;

use crate::domain::{Position, Rule};
use crate::store::{Checkpoint, Store, StoreError, Views};

/// How views stand to a log and a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewsState {
    /// They are of this log, up to their checkpoint.
    Fitting,
    /// They are of this log, but built by another rule.
    OtherRule { built_by: Rule },
    /// They belong to another ledger.
    OtherLedger { theirs: Uuid },
    /// They have read further than the log goes.
    AheadOfLog { checkpoint: Position, head: Position },
    /// At their checkpoint the log has another event.
    OtherHistory { checkpoint: Position },
}

impl ViewsState {
    /// How these views stand to this log.
    pub fn of(store: &dyn Store, checkpoint: &Checkpoint, rule: Rule) -> Result<Self, StoreError> {
        let Checkpoint { position, event_id, .. } = *checkpoint;
        let head = store.head()?;
        if checkpoint.ledger_id != store.ledger_id() {
            return Ok(ViewsState::OtherLedger { theirs: checkpoint.ledger_id });
        }
        if position > head {
            return Ok(ViewsState::AheadOfLog { checkpoint: position, head });
        }
        if position > 0 && !has_event(store, position, event_id)? {
            return Ok(ViewsState::OtherHistory { checkpoint: position });
        }
        match checkpoint.rule == rule {
            true => Ok(ViewsState::Fitting),
            false => Ok(ViewsState::OtherRule { built_by: checkpoint.rule }),
        }
    }
}

fn has_event(
    store: &dyn Store,
    position: Position,
    event_id: Option<Uuid>,
) -> Result<bool, StoreError> {
    match store.read_at(&[position]) {
        Ok(events) => Ok(events.first().map(|event| event.event_id) == event_id),
        Err(StoreError::NoSuchEvent { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes sure that the views can be read on: what does not fit is emptied, and that is said aloud.
pub fn reset_if_incompatible(store: &dyn Store, rule: Rule) -> Result<(), StoreError> {
    let views: &dyn Views = store.views();
    let reason = match views.checkpoint() {
        Ok(checkpoint) => match ViewsState::of(store, &checkpoint, rule)? {
            ViewsState::Fitting => return Ok(()),
            alignment => (checkpoint.position > 0).then(|| alignment.to_string()),
        },
        Err(damaged @ StoreError::DamagedViews { .. }) => Some(damaged.to_string()),
        Err(error) => return Err(error),
    };
    if let Some(reason) = reason {
        tracing::warn!("{reason}; the views are rebuilt from the log");
    }
    views.reset(rule)
}

impl fmt::Display for ViewsState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ViewsState::Fitting => f.write_str("the views fit the log"),
            ViewsState::OtherRule { built_by } => {
                write!(f, "the views were built by the rule {}", built_by.name())
            }
            ViewsState::OtherLedger { theirs } => {
                write!(f, "the views belong to another ledger ({theirs})")
            }
            ViewsState::AheadOfLog { checkpoint, head } => write!(
                f,
                "the log is older than its views: it ends at position {head}, they have read up to \
                 {checkpoint}; events that were acknowledged may be missing from it"
            ),
            ViewsState::OtherHistory { checkpoint } => write!(
                f,
                "the log is not the one its views have read: another event is at position \
                 {checkpoint}; events that were acknowledged may be missing from it"
            ),
        }
    }
}
