//! Finds messages by SID and account while views are rebuilt, when there is no index yet.
//!
//! A message that is not in it is new, so most lookups need no query.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The maximum number of messages, which take at most 160 MB.
const MESSAGES_MAX: usize = 15_000_000;

/// The number of parts. Each is merged on its own, so that there are never two whole copies of the entries.
const PARTS: usize = 256;

/// A part is merged when one in so many of its entries is recent. Fewer would be merged more often, and more would
/// take more memory: a hash table takes up to 21 bytes for each, and keeps it.
const RECENT_SHARE: usize = 8;

/// As many recent entries are not worth a merge.
const RECENT_MIN: usize = 256;

/// How far an entry is from where evenly distributed hashes would put it, if it is nearby.
const NEAR: usize = 256;

/// Ids of messages by the hash of SID and account.
#[derive(Debug)]
pub struct SidTable {
    parts: Vec<Part>,
    messages: usize,
    hasher: RandomState,
}

/// The ids of messages whose hashes have something in common.
#[derive(Debug, Default)]
struct Part {
    /// Half of the hash, and the id: in order, because that takes the least memory.
    merged: Vec<(u32, u32)>,
    /// The same of messages that have been added since.
    recent: HashTable<(u32, u32)>,
}

impl Default for SidTable {
    fn default() -> Self {
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        Self { parts, messages: 0, hasher: RandomState::default() }
    }
}

impl SidTable {
    /// Adds a message that is not in the table.
    pub fn insert(&mut self, sid: &[u8], account: i64, id: u64) {
        let id = u32::try_from(id).expect("the table is full before ids have more bits");
        let (part, half) = self.place(sid, account);
        self.parts[part].insert(half, id);
        self.messages += 1;
    }

    /// The ids that the message may have; few have more than one.
    pub fn ids(&self, sid: &[u8], account: i64) -> impl Iterator<Item = u64> {
        let (part, half) = self.place(sid, account);
        self.parts[part].ids(half).map(u64::from)
    }

    /// True if it has the maximum number of messages; those of one more batch still fit.
    pub fn is_full(&self) -> bool {
        self.messages >= MESSAGES_MAX
    }

    fn place(&self, sid: &[u8], account: i64) -> (usize, u32) {
        let hash = self.hasher.hash_one((sid, account));
        ((hash >> 32) as usize % PARTS, hash as u32)
    }
}

impl Part {
    fn insert(&mut self, half: u32, id: u32) {
        self.recent.insert_unique(spread(half), (half, id), |(half, _)| spread(*half));
        if self.recent.len() >= RECENT_MIN.max(self.merged.len() / RECENT_SHARE) {
            self.merge();
        }
    }

    fn merge(&mut self) {
        self.merged.reserve_exact(self.recent.len());
        self.merged.extend(self.recent.drain());
        // Most of it is in order, and is merged with the rest.
        self.merged.sort();
    }

    fn ids(&self, half: u32) -> impl Iterator<Item = u32> {
        let recent = self.recent.iter_hash(spread(half)).filter(move |entry| entry.0 == half);
        let merged =
            self.merged[self.first(half)..].iter().take_while(move |entry| entry.0 == half);
        merged.chain(recent).map(|(_, id)| *id)
    }

    /// The place of the first merged entry that is not before this half of a hash.
    fn first(&self, half: u32) -> usize {
        let merged = &self.merged;
        let expected = ((u64::from(half) * merged.len() as u64) >> 32) as usize;
        let (from, to) = (expected.saturating_sub(NEAR), (expected + NEAR).min(merged.len()));
        let is_before = |entry: &(u32, u32)| entry.0 < half;
        let is_near = (from == 0 || is_before(&merged[from - 1]))
            && (to == merged.len() || !is_before(&merged[to]));
        let (from, to) = if is_near { (from, to) } else { (0, merged.len()) };
        from + merged[from..to].partition_point(is_before)
    }
}

/// A hash of all bits from half of one.
fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_message_is_found_before_and_after_merges() {
        const MESSAGES: u64 = 300_000;
        let mut table = SidTable::default();
        let sid = |id: u64| id.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        for id in 0..MESSAGES {
            table.insert(&sid(id), 1, id);
        }

        let lost = (0..MESSAGES).find(|id| !table.ids(&sid(*id), 1).any(|found| found == *id));

        assert_eq!(lost, None);
        assert!(table.parts.iter().all(|part| part.merged.len() >= 2 * RECENT_MIN));
        assert!(table.parts.iter().any(|part| !part.recent.is_empty()));
        // A hash of 40 bits in common is rare: one is expected in a dozen runs.
        let found = (0..MESSAGES).filter(|id| table.ids(&sid(*id), 2).next().is_some());
        assert!(found.count() < 10, "messages of another account");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

        /// Evenly distributed or not, and with many that are equal.
        #[test]
        fn the_first_of_equal_halves_is_found_wherever_it_is(
            halves in vec(prop_oneof![any::<u32>(), 0..50_u32, Just(u32::MAX), Just(1 << 31)], 0..3_000),
            others in vec(any::<u32>(), 20),
        ) {
            let mut part = Part::default();
            for (half, id) in halves.iter().zip(0..) {
                part.recent.insert_unique(spread(*half), (*half, id), |(half, _)| spread(*half));
            }
            part.merge();

            for half in halves.iter().chain(&others) {
                for half in [*half, half.saturating_sub(1), half.saturating_add(1)] {
                    prop_assert_eq!(part.first(half), part.merged.partition_point(|entry| entry.0 < half));
                }
            }
            for (half, id) in halves.iter().zip(0..) {
                prop_assert!(part.ids(*half).any(|found| found == id));
            }
        }
    }
}
