//! The SIDs and addresses of views that nobody reads by them yet. Written with each batch they would
//! touch nearly every page of their index each time; gathered, each page is written once for many.

use std::hash::BuildHasher;
use std::path::PathBuf;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::store::sqlite::views::external_sort::ExternalSorter;
use crate::store::sqlite::views::index::{Entry, Key, Way};

/// Of how many messages entries are gathered. Their places then take 75 MB; with the messages of one
/// batch more, which is at most 16,384, they still do, and with one more it would be twice that.
const PENDING_MAX: usize = (7 << 20) - (1 << 14);

/// What is not yet written.
#[derive(Debug)]
pub struct IndexBuffer {
    /// Nobody asks for them before all are written, so they need not be in memory.
    pub entries: ExternalSorter,
    /// For each message a part of the hash of SID and account, and its id's distance from the first one.
    places: HashTable<(u32, u32)>,
    first_id: u64,
    hasher: RandomState,
}

impl IndexBuffer {
    /// Nothing yet; what memory has no room for will be in this folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self {
            entries: ExternalSorter::in_folder(folder),
            places: HashTable::new(),
            first_id: 0,
            hasher: RandomState::default(),
        }
    }

    /// Takes in what a batch brings.
    pub fn extend(&mut self, entries: Vec<Entry>) {
        for Entry { key, id, .. } in entries.iter().filter(|entry| entry.way == Way::Sids) {
            if self.places.is_empty() {
                self.first_id = *id;
            }
            let distance = u32::try_from(id - self.first_id).expect("ids are given in order");
            let part = self.part(key);
            self.places.insert_unique(spread(part), (part, distance), |(part, _)| spread(*part));
        }
        self.entries.extend(entries);
    }

    /// The ids that a message with this SID may have, if it is not yet written.
    pub fn ids(&self, sid: &Key) -> impl Iterator<Item = u64> {
        let part = self.part(sid);
        let of_part = self.places.iter_hash(spread(part)).filter(move |(have, _)| *have == part);
        of_part.map(|(_, distance)| self.first_id + u64::from(*distance))
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.places.clear();
        self.entries.clear();
    }

    /// Whether it is time to write.
    pub fn are_many(&self) -> bool {
        self.places.len() >= PENDING_MAX
    }

    fn part(&self, sid: &Key) -> u32 {
        self.hasher.hash_one(sid) as u32
    }
}

/// A hash of all bits from a part of one.
fn spread(part: u32) -> u64 {
    u64::from(part).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
