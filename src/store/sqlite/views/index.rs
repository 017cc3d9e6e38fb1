//! The ways to messages by what they are asked for: by their addresses, and by what is notable about
//! them. What a way leads to is still held against the question.

use rusqlite::params;
use smallvec::SmallVec;

use crate::domain::Lifecycle;
use crate::store::sqlite::views::read::Tables;
use crate::store::{Damage, Message};

/// How many messages are read at a time to be checked.
const CHECKED_AT_ONCE: usize = 1000;

/// What is notable about a message; its number stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Conflict = 1,
    Late = 2,
    Duplicate = 3,
    /// It is outbound, and its outcome is not known.
    Open = 4,
    /// All of its statuses are inbound.
    Inbound = 5,
    /// No status was reported of it.
    NoStatus = 6,
}

impl Mark {
    const ALL: [Mark; 6] =
        [Mark::Conflict, Mark::Late, Mark::Duplicate, Mark::Open, Mark::Inbound, Mark::NoStatus];

    fn is_on(self, lifecycle: &Lifecycle) -> bool {
        match self {
            Mark::Conflict => lifecycle.evidence.conflict(),
            Mark::Late => lifecycle.counts.late > 0,
            Mark::Duplicate => lifecycle.counts.duplicates > 0,
            Mark::Open => lifecycle.evidence.is_open(),
            Mark::Inbound => lifecycle.evidence.kinds.is_inbound(),
            Mark::NoStatus => lifecycle.evidence.kinds.is_without_status(),
        }
    }
}

/// What an entry is found by: an address from its end to its beginning, so that those with the same
/// last digits are neighbours; a mark; or a SID and its account's number.
pub type Key = SmallVec<[u8; 24]>;

/// The text from its end.
pub fn reversed(address: &str) -> Key {
    let mut key = Key::from_slice(address.as_bytes());
    key.reverse();
    key
}

/// The key of what is notable.
pub fn marked(mark: Mark) -> Key {
    Key::from_slice(&[mark as u8])
}

/// The key of a SID of an account.
pub fn of_sid(sid: &[u8], account: i64) -> Key {
    let account = u32::try_from(account).expect("there are fewer than four billion accounts");
    let mut key = Key::from_slice(sid);
    key.extend_from_slice(&account.to_be_bytes());
    key
}

/// A table of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Recipients,
    Senders,
    Marks,
    Sids,
}

impl Way {
    /// Every table, in order.
    pub const ALL: [Way; 4] = [Way::Recipients, Way::Senders, Way::Marks, Way::Sids];

    /// Those that lists are made by.
    const OF_LISTS: [Way; 3] = [Way::Recipients, Way::Senders, Way::Marks];

    /// The table's name.
    pub fn table(self) -> &'static str {
        match self {
            Way::Recipients => "recipients",
            Way::Senders => "senders",
            Way::Marks => "marks",
            Way::Sids => "sids",
        }
    }
}

/// An entry that a table gains or loses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub way: Way,
    pub key: Key,
    /// Of the message.
    pub id: u64,
    pub gained: bool,
}

impl Entry {
    /// What tells where its row stands.
    pub fn place(&self) -> (Way, &[u8], u64) {
        (self.way, &self.key, self.id)
    }
}

/// Adds the entries that come of a message as it stood and as it stands.
pub fn add_entries(
    entries: &mut Vec<Entry>,
    id: u64,
    before: Option<&Lifecycle>,
    after: &Lifecycle,
) {
    let mut add = |way, key, gained| entries.push(Entry { way, key, id, gained });
    let [was_to, was_from] = before.map_or([None, None], addresses);
    let [to, from] = addresses(after);
    for (way, was, is) in [(Way::Recipients, was_to, to), (Way::Senders, was_from, from)] {
        if was != is {
            was.into_iter().for_each(|address| add(way, reversed(address), false));
            is.into_iter().for_each(|address| add(way, reversed(address), true));
        }
    }
    for mark in Mark::ALL {
        let (was, is) = (before.is_some_and(|before| mark.is_on(before)), mark.is_on(after));
        if was != is {
            add(Way::Marks, marked(mark), is);
        }
    }
}

/// To and From.
fn addresses(lifecycle: &Lifecycle) -> [Option<&str>; 2] {
    [lifecycle.evidence.to(), lifecycle.evidence.from()]
}

/// Brings entries in the order of their tables, so that neighbours go to the same page; of one and
/// the same the last stays last.
pub fn put_in_order(entries: &mut [Entry]) {
    entries.sort_by(|a, b| a.place().cmp(&b.place()));
}

/// Writes entries, in this order, within a transaction that the caller holds.
pub fn put_entries(tables: Tables<'_>, entries: &[Entry]) -> rusqlite::Result<()> {
    let verbs = |way: Way| {
        let table = way.table();
        let gain = format!("INSERT OR IGNORE INTO {table}{{}}(key, id) VALUES (?1, ?2)");
        let lose = format!("DELETE FROM {table}{{}} WHERE key = ?1 AND id = ?2");
        Ok::<_, rusqlite::Error>([tables.prepare(&lose)?, tables.prepare(&gain)?])
    };
    let [recipients, senders, marks] = Way::OF_LISTS.map(verbs);
    let mut statements = [recipients?, senders?, marks?];
    let mut put_sid = tables.prepare("INSERT INTO sids{}(sid, account, id) VALUES (?1, ?2, ?3)")?;
    for Entry { way, key, id, gained } in entries {
        if *way == Way::Sids {
            let (sid, account) = key.split_last_chunk().expect("an account's number is behind it");
            put_sid.execute(params![sid, u32::from_be_bytes(*account), id])?;
        } else {
            let statement = &mut statements[*way as usize][usize::from(*gained)];
            statement.execute(params![&key[..], id])?;
        }
    }
    Ok(())
}

/// What the tables lack of messages' entries, and what they have besides.
pub fn check(tables: Tables<'_>) -> rusqlite::Result<Vec<Damage>> {
    let rule = tables.checkpoint()?.rule;
    let (mut found, mut lost) = ([0_u64; 3], [0_u64; 3]);
    let look_up = |way: Way| {
        tables.prepare(&format!("SELECT 1 FROM {}{{}} WHERE key = ?1 AND id = ?2", way.table()))
    };
    let [recipients, senders, marks] = Way::OF_LISTS.map(look_up);
    let mut statements = [recipients?, senders?, marks?];
    let (mut after, mut entries) = (0, Vec::new());
    loop {
        let page = tables.page(rule, after, CHECKED_AT_ONCE)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for Message { id, lifecycle, .. } in &page {
            add_entries(&mut entries, *id, None, lifecycle);
        }
        for Entry { way, key, id, .. } in entries.drain(..) {
            let there = statements[way as usize].exists(params![&key[..], id])?;
            let count = if there { &mut found } else { &mut lost };
            count[way as usize] += 1;
        }
    }
    let mut damages = Vec::new();
    for way in Way::OF_LISTS {
        let (table, number) = (way.table(), way as usize);
        let sql = format!("SELECT count(*) FROM {table}{}", tables.suffix);
        let rows: u64 = crate::store::sqlite::query_value(tables.connection, &sql)?;
        if lost[number] > 0 {
            damages.push(Damage::Lost { table, rows: lost[number] });
        }
        if rows > found[number] {
            damages.push(Damage::Stray { table, rows: rows - found[number] });
        }
    }
    Ok(damages)
}
