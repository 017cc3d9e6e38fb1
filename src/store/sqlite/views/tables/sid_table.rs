//! Finds messages by SID and account while views are rebuilt, when there is no index yet.
//!
//! A message that is not in it is new, so most lookups need no query.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The maximum number of messages: 151 MB. Each part of it is then seven eighths full; with more
/// messages it would be twice as large.
const MESSAGES_MAX: usize = (7 << 21) - (1 << 15);

/// The number of parts. Each doubles on its own, so that there are never two whole copies of it.
const PARTS: usize = 64;

/// Ids of messages by the hash of SID and account.
#[derive(Debug)]
pub struct SidTable {
    /// For each message half of the hash, and its id.
    parts: Vec<HashTable<(u32, u32)>>,
    messages: usize,
    hasher: RandomState,
}

impl Default for SidTable {
    fn default() -> Self {
        let parts = (0..PARTS).map(|_| HashTable::new()).collect();
        Self { parts, messages: 0, hasher: RandomState::default() }
    }
}

impl SidTable {
    /// Adds a message that is not in the table.
    pub fn insert(&mut self, sid: &[u8], account: i64, id: u64) {
        let id = u32::try_from(id).expect("the table is full before ids have more bits");
        let (part, half) = self.place(sid, account);
        self.parts[part].insert_unique(spread(half), (half, id), |(half, _)| spread(*half));
        self.messages += 1;
    }

    /// The ids that the message may have; few have more than one.
    pub fn ids(&self, sid: &[u8], account: i64) -> impl Iterator<Item = u64> {
        let (part, half) = self.place(sid, account);
        let found = self.parts[part].iter_hash(spread(half));
        found.filter(move |(other, _)| *other == half).map(|(_, id)| u64::from(*id))
    }

    /// True if another batch may not fit.
    pub fn is_full(&self) -> bool {
        self.messages >= MESSAGES_MAX
    }

    fn place(&self, sid: &[u8], account: i64) -> (usize, u32) {
        let hash = self.hasher.hash_one((sid, account));
        ((hash >> 32) as usize % PARTS, hash as u32)
    }
}

/// A hash of all bits from half of one.
fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
