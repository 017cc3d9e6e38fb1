//! What all processes of a ledger share apart from its log and its views: tasks and small values.

/// A task that only one process at a time may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Importing events: two imports would both find an event missing, and both append it.
    Import,
    /// Asking Twilio for statuses that were not reported.
    Reconcile,
    /// Checking rejected requests again, and appending those that are valid now.
    Recheck,
    /// Erasing events, and everything derived from them.
    Erase,
}

/// The right to run a task, given back when this is dropped or the process ends.
pub trait TaskGuard: Send {
    /// False if the right was lost, as when the connection to a server broke: the task has to end.
    fn is_held(&self) -> bool;
}

/// A small value, which is replaced as a whole. None is evidence: a ledger works without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptValue {
    /// Where the next reconcile continues, as JSON.
    Reconcile,
    /// The last backup, as JSON.
    Backup,
    /// Whether an erasure is unfinished, as JSON.
    Erasure,
}

impl KeptValue {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            KeptValue::Reconcile => "reconcile",
            KeptValue::Backup => "backup",
            KeptValue::Erasure => "erasure",
        }
    }
}
