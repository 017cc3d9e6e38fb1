//! The SIDs and addresses of views that nobody reads by them yet. Written with each batch they would
//! touch nearly every page of their index each time; gathered, each page is written once for many.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use rusqlite::params;

use super::message_row::PackedSid;
use super::view_index;
use super::view_read::Tables;
use super::view_write::Keyed;

/// Of how many messages they are gathered: some 100 MB.
const PENDING_MAX: usize = 1 << 19;

/// What is not yet written, batch by batch as it came: to grow one list of all would move each of
/// them several times.
#[derive(Debug, Default)]
pub struct Pending {
    batches: Vec<Keyed>,
    /// By the hash of its SID and its account's number: the batch of each message, and its place there.
    places: HashTable<(u32, u32)>,
    hasher: RandomState,
}

impl Pending {
    /// Takes in what a batch brings.
    pub fn extend(&mut self, keyed: Keyed) {
        let batch = self.batches.len() as u32;
        self.batches.push(keyed);
        let Self { batches, places, hasher } = self;
        let hash = |(batch, place): &(u32, u32)| {
            let NewSid { sid, account, .. } = &batches[*batch as usize].sids[*place as usize];
            hasher.hash_one((sid, account))
        };
        for place in 0..batches[batch as usize].sids.len() as u32 {
            places.insert_unique(hash(&(batch, place)), (batch, place), hash);
        }
    }

    /// The id of a message that is not yet written.
    pub fn id(&self, (sid, account): &(PackedSid, i64)) -> Option<u64> {
        let at = |(batch, place): &(u32, u32)| &self.batches[*batch as usize].sids[*place as usize];
        let hash = self.hasher.hash_one((sid, account));
        let is_same = |place: &(u32, u32)| at(place).sid == *sid && at(place).account == *account;
        self.places.find(hash, is_same).map(|place| at(place).id)
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.batches.clear();
        self.places.clear();
    }

    /// Whether it is time to write.
    pub fn are_many(&self) -> bool {
        self.places.len() >= PENDING_MAX
    }

    /// All of it, in key order; nothing is pending any more.
    pub fn take(&mut self) -> Keyed {
        let count = |of: fn(&Keyed) -> usize| self.batches.iter().map(of).sum();
        let mut all = Keyed {
            sids: Vec::with_capacity(count(|batch| batch.sids.len())),
            entries: Vec::with_capacity(count(|batch| batch.entries.len())),
        };
        for Keyed { sids, entries } in self.batches.drain(..) {
            all.sids.extend(sids);
            all.entries.extend(entries);
        }
        self.places.clear();
        all.in_order()
    }
}

impl Keyed {
    /// The same in key order, so that neighbours go to the same page.
    pub fn in_order(mut self) -> Self {
        self.sids.sort_unstable();
        Self { sids: self.sids, entries: view_index::in_order(self.entries) }
    }
}

/// A new message's way in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewSid {
    pub sid: PackedSid,
    pub account: i64,
    pub id: u64,
}

/// Writes SIDs within a transaction that the caller holds.
pub fn put_sids(tables: Tables<'_>, sids: &[NewSid]) -> rusqlite::Result<()> {
    let mut statement =
        tables.prepare("INSERT INTO sids{}(sid, account, id) VALUES (?1, ?2, ?3)")?;
    for NewSid { sid, account, id } in sids {
        statement.execute(params![&sid[..], account, id])?;
    }
    Ok(())
}
