//! Records about seals, which are kept with the log: the seals, what others attest of them, and changes of
//! the key that signs them.

use std::ops::RangeInclusive;

use super::StoreError;
use crate::domain::{Position, Timestamp};

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SealRecordKind {
    /// A seal: its note.
    Seal,
    /// A witness' signature of a seal of this size: the line.
    Cosignature,
    /// A timestamp of a seal of this size: the token, in DER.
    Timestamp,
    /// A change of the key: its note.
    KeyChange,
    /// A public key that has signed a seal.
    Key,
    /// The id that the origin of seals has from this size on, because the log was restored from a backup.
    Branch,
}

impl SealRecordKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Seal, Self::Cosignature, Self::Timestamp, Self::KeyChange, Self::Key, Self::Branch];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Cosignature => "cosignature",
            Self::Timestamp => "timestamp",
            Self::KeyChange => "key-change",
            Self::Key => "key",
            Self::Branch => "branch",
        }
    }

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A record to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSealRecord {
    /// What it holds.
    pub kind: SealRecordKind,
    /// The number of events that it is about.
    pub size: Position,
    /// When it is recorded.
    pub recorded_at: Timestamp,
    /// The note, line or token.
    pub content: Vec<u8>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealRecord {
    /// Its place among the records: 1, 2, 3, …
    pub number: u64,
    /// What it holds.
    pub record: NewSealRecord,
}

/// Which records to read, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealQuery {
    /// Their kind.
    pub kind: SealRecordKind,
    /// Their sizes.
    pub sizes: RangeInclusive<Position>,
    /// From the last to the first, instead of from the first to the last.
    pub newest_first: bool,
    /// How many at most.
    pub limit: usize,
}

impl SealQuery {
    /// All records of a kind.
    pub fn all(kind: SealRecordKind) -> Self {
        Self::of_sizes(kind, 0..=Position::MAX)
    }

    /// The records about this number of events.
    pub fn of_size(kind: SealRecordKind, size: Position) -> Self {
        Self::of_sizes(kind, size..=size)
    }

    /// The records about these numbers of events.
    pub fn of_sizes(kind: SealRecordKind, sizes: RangeInclusive<Position>) -> Self {
        Self { kind, sizes, newest_first: false, limit: usize::MAX }
    }

    /// The last record of a kind.
    pub fn last(kind: SealRecordKind) -> Self {
        Self { newest_first: true, limit: 1, ..Self::all(kind) }
    }

    /// The sizes and the limit as numbers that every engine has.
    pub(super) fn bounds(&self) -> [i64; 3] {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        [number(*self.sizes.start()), number(*self.sizes.end()), number(self.limit as u64)]
    }

    /// The order by size and number.
    pub(super) fn order(&self) -> &'static str {
        match self.newest_first {
            true => "size DESC, number DESC",
            false => "size, number",
        }
    }
}

/// A record from a row.
pub(super) fn record(
    number: i64,
    kind: &str,
    (size, recorded_at): (i64, i64),
    content: Vec<u8>,
) -> Result<SealRecord, StoreError> {
    let unreadable = || StoreError::UnreadableSeal { number, kind: kind.to_owned() };
    let record = NewSealRecord {
        kind: SealRecordKind::parse(kind).ok_or_else(unreadable)?,
        size: Position::try_from(size).map_err(|_| unreadable())?,
        recorded_at: Timestamp::from_micros(recorded_at),
        content,
    };
    Ok(SealRecord { number: u64::try_from(number).map_err(|_| unreadable())?, record })
}
