//! Compatibility of views with a log and a rule, which is checked before the views are brought up to date.

use std::fmt;

use uuid::Uuid;

use crate::domain::{Position, Rule};
use crate::store::{Checkpoint, Store, StoreError, Views};

/// The relation of views to a log and a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewsState {
    /// They were built from this log by this rule.
    Current,
    /// They were built from this log by another rule.
    OtherRule {
        /// The rule of the views.
        built_by: Rule,
    },
    /// They belong to another ledger.
    OtherLedger {
        /// The id of their ledger.
        theirs: Uuid,
    },
    /// They have read beyond the end of the log.
    AheadOfLog {
        /// The last position that they have read.
        checkpoint: Position,
        /// The last position of the log.
        head: Position,
    },
    /// The log has another event at their checkpoint.
    OtherHistory {
        /// The last position that they have read.
        checkpoint: Position,
    },
}

impl ViewsState {
    /// Compares views with a log and a rule.
    pub fn new(store: &dyn Store, checkpoint: &Checkpoint, rule: Rule) -> Result<Self, StoreError> {
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
            true => Ok(ViewsState::Current),
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

/// Empties views that do not belong to the log or the rule, or do not index the tags that the store is set
/// to, and logs a warning.
pub fn reset_if_incompatible(store: &dyn Store, rule: Rule) -> Result<(), StoreError> {
    let views: &dyn Views = store.views();
    let reason = match views.checkpoint() {
        Ok(checkpoint) => match ViewsState::new(store, &checkpoint, rule)? {
            ViewsState::Current => match store.indexed_tags() {
                Some(wanted) if wanted != checkpoint.indexed_tags => (checkpoint.position > 0)
                    .then(|| "the views index other tags than are configured".to_owned()),
                _ => return Ok(()),
            },
            state => (checkpoint.position > 0).then(|| state.to_string()),
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
            ViewsState::Current => f.write_str("the views fit the log"),
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
