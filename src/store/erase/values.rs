//! What an erasure takes from a log, and what it leaves.

use crate::domain::hash::Hash;
use crate::domain::{Position, Source};

/// Maximum events that one transaction erases, so that callbacks wait for it no longer than for an import.
pub const ERASED_EVENTS_MAX: usize = 4096;

/// An event that loses its content, and what remains of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedEvent {
    /// Its position.
    pub position: Position,
    /// Its source.
    pub source: Source,
    /// The name of the key that verified it.
    pub verified_by: Option<String>,
    /// The hash of its account and message.
    pub message: Hash,
    /// The hash of its content.
    pub content: Hash,
}

/// Envelopes that no event will use once some events are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedEnvelopes {
    /// Their ids.
    pub ids: Vec<i64>,
    /// The last event that was looked at; later ones may use them.
    pub up_to: Position,
}

/// The result of removing the traces of erased content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CleanUp {
    /// No file of the ledger has any.
    Done,
    /// Some remain, and why; the call can be repeated.
    Blocked(&'static str),
    /// They are gone from the tables; the text says where else the database's server keeps them.
    ServerKeeps(&'static str),
}
