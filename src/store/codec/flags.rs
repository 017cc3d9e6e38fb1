//! The flags of a message's row: one bit for each notable property, each with a partial index.

use crate::domain::Lifecycle;

/// A bit of a message's flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    Conflict = 1,
    Late = 2,
    Duplicate = 4,
    /// It is outbound, and its outcome is not known.
    Open = 8,
    /// All of its statuses are inbound.
    Inbound = 16,
    /// No status was reported of it.
    WithoutStatus = 32,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Flag; 6] = [
        Flag::Conflict,
        Flag::Late,
        Flag::Duplicate,
        Flag::Open,
        Flag::Inbound,
        Flag::WithoutStatus,
    ];

    /// The partial index of the messages that have it; its condition is `flags & BIT`.
    pub fn index(self) -> &'static str {
        match self {
            Flag::Conflict => "messages_conflict",
            Flag::Late => "messages_late",
            Flag::Duplicate => "messages_duplicate",
            Flag::Open => "messages_open",
            Flag::Inbound => "messages_inbound",
            Flag::WithoutStatus => "messages_without_status",
        }
    }

    fn is_set_for(self, lifecycle: &Lifecycle) -> bool {
        match self {
            Flag::Conflict => lifecycle.evidence.has_conflict(),
            Flag::Late => lifecycle.counts.late > 0,
            Flag::Duplicate => lifecycle.counts.duplicates > 0,
            Flag::Open => lifecycle.evidence.is_open(),
            Flag::Inbound => lifecycle.evidence.kinds.is_inbound(),
            Flag::WithoutStatus => lifecycle.evidence.kinds.has_no_status(),
        }
    }
}

/// All flags of a message.
pub fn flags(lifecycle: &Lifecycle) -> u8 {
    let set = Flag::ALL.into_iter().filter(|flag| flag.is_set_for(lifecycle));
    set.fold(0, |flags, flag| flags | flag as u8)
}
