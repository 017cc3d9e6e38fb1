//! The status of a message before and after one of its events.

use crate::domain::Status;

/// How an event changed the status, which is `None` as long as it is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusChange {
    /// The first event of the message.
    First(Option<Status>),
    /// The event left the status as it was.
    Unchanged(Option<Status>),
    /// The event changed the status.
    Changed {
        /// The status before the event; `None` is unknown.
        before: Option<Status>,
        /// The status after the event; `None` is unknown.
        after: Option<Status>,
    },
}

impl StatusChange {
    /// The change between two statuses; `before` is `None` for the first event.
    pub fn new(before: Option<Option<Status>>, after: Option<Status>) -> Self {
        match before {
            None => Self::First(after),
            Some(before) if before == after => Self::Unchanged(after),
            Some(before) => Self::Changed { before, after },
        }
    }

    /// The status after the event.
    pub fn after(self) -> Option<Status> {
        match self {
            Self::First(after) | Self::Unchanged(after) | Self::Changed { after, .. } => after,
        }
    }
}
