//! The SIDs of views that nobody reads by SID yet. Written with each batch they would touch nearly
//! every page of their index each time; gathered, each page is written once for many of them.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::params;

use super::message_row::PackedSid;
use super::view_read::Tables;

/// How many are gathered: some 60 MB.
const PENDING_MAX: usize = 1 << 19;

/// From a message's packed SID and its account's number to its id, as far as not yet written.
#[derive(Debug, Default)]
pub struct PendingSids(HashMap<(PackedSid, i64), u64, RandomState>);

impl PendingSids {
    /// Takes in those of a batch.
    pub fn extend(&mut self, sids: Vec<NewSid>) {
        self.0.extend(sids.into_iter().map(|NewSid { sid, account, id }| ((sid, account), id)));
    }

    /// The id of a message that is not yet written.
    pub fn id(&self, key: &(PackedSid, i64)) -> Option<u64> {
        self.0.get(key).copied()
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether it is time to write them.
    pub fn are_many(&self) -> bool {
        self.0.len() >= PENDING_MAX
    }

    /// Writes them all, within a transaction that the caller holds.
    pub fn write(&mut self, tables: Tables<'_>) -> rusqlite::Result<()> {
        let sids = self.0.drain().map(|((sid, account), id)| NewSid { sid, account, id });
        put_sids(tables, sids.collect())
    }
}

/// A new message's way in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewSid {
    pub sid: PackedSid,
    pub account: i64,
    pub id: u64,
}

/// Writes SIDs in key order, so that neighbours go to the same page.
pub fn put_sids(tables: Tables<'_>, mut sids: Vec<NewSid>) -> rusqlite::Result<()> {
    sids.sort_unstable();
    let mut statement =
        tables.prepare("INSERT INTO sids{}(sid, account, id) VALUES (?1, ?2, ?3)")?;
    for NewSid { sid, account, id } in sids {
        statement.execute(params![&sid[..], account, id])?;
    }
    Ok(())
}
