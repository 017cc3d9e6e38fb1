//! The flags of a message's row: one bit for each notable property, each with a partial index.

use crate::domain::message::kinds::EventKinds;
use crate::domain::message::lifecycle::Counts;
use crate::domain::message::status_times::StatusTimes;
use crate::domain::{Lifecycle, Status};

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

    fn is_set_for(self, facts: &FlagFacts<'_>) -> bool {
        let FlagFacts { status, status_times, kinds, counts } = facts;
        match self {
            Flag::Conflict => status_times.has_conflict(),
            Flag::Late => counts.late > 0,
            Flag::Duplicate => counts.duplicates > 0,
            Flag::Open => kinds.is_open(*status),
            Flag::Inbound => kinds.is_inbound(),
            Flag::WithoutStatus => kinds.has_no_status(),
        }
    }
}

/// What the flags of a message depend on.
pub struct FlagFacts<'a> {
    pub status: Option<Status>,
    pub status_times: &'a StatusTimes,
    pub kinds: EventKinds,
    pub counts: Counts,
}

impl FlagFacts<'_> {
    /// All flags of the message.
    pub fn flags(&self) -> u8 {
        let set = Flag::ALL.into_iter().filter(|flag| flag.is_set_for(self));
        set.fold(0, |flags, flag| flags | flag as u8)
    }
}

/// All flags of a message.
pub fn flags(Lifecycle { evidence, counts, .. }: &Lifecycle) -> u8 {
    FlagFacts {
        status: evidence.status(),
        status_times: &evidence.status_times,
        kinds: evidence.kinds,
        counts: *counts,
    }
    .flags()
}
