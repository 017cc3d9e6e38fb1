//! Messages that are asked for, the newest first, by the way that leads past the fewest others.

use rusqlite::params;

use crate::domain::filter::{AddressPattern, MessageFilter};
use crate::store::sqlite::views::index::{Key, Mark, Way, marked, reversed};
use crate::store::sqlite::views::read::Tables;
use crate::store::{Message, MessagePage};

/// How many messages one list looks at: some 100 ms of work.
const LOOKED_AT_MAX: usize = 50_000;

/// How many messages are looked for at a time.
const STEP_IDS: usize = 512;

/// How many addresses with the same last digits are followed; more would take too long to find, and
/// fit too many messages to be of help.
const ENDINGS_MAX: usize = 2_000;

/// How the messages that may be asked for are found.
enum Lookup {
    All,
    /// All but those with this mark.
    AllBut(Key),
    /// By the entries of one table with any of these keys.
    By(Way, Vec<Key>),
}

/// At most `limit` of the messages that are asked for with an id below `before`, the newest first.
pub fn list(
    tables: Tables<'_>,
    wanted: &MessageFilter,
    before: Option<u64>,
    limit: usize,
) -> rusqlite::Result<MessagePage> {
    let checkpoint = tables.checkpoint()?;
    if wanted.simulated == Some(true) && checkpoint.last_simulated == 0
        || wanted.simulated == Some(false) && checkpoint.first_real == 0
    {
        return Ok(MessagePage { checkpoint, messages: Vec::new(), next_before: None });
    }
    let (lookup, mut reader) = (Lookup::of(tables, wanted)?, tables.messages(checkpoint.rule)?);
    let (mut messages, mut before, mut looked_at) =
        (Vec::new(), before.unwrap_or(i64::MAX as u64), 0);
    let next_before = loop {
        let ids = lookup.below(tables, before, STEP_IDS)?;
        let Some(last) = ids.last() else { break None };
        before = *last;
        for id in ids {
            if !reader.is_wanted(id, wanted)? {
                continue;
            }
            if messages.len() == limit {
                // There is one more.
                let next_before = messages.last().map(|last: &Message| last.id);
                return Ok(MessagePage { checkpoint, messages, next_before });
            }
            messages.push(reader.by_id(id)?);
        }
        looked_at += STEP_IDS;
        if looked_at >= LOOKED_AT_MAX {
            break Some(before);
        }
    };
    Ok(MessagePage { checkpoint, messages, next_before })
}

impl Lookup {
    fn of(tables: Tables<'_>, wanted: &MessageFilter) -> rusqlite::Result<Self> {
        let by_mark = |mark| Ok(Lookup::By(Way::Marks, vec![marked(mark)]));
        if let Some(to) = &wanted.to
            && let Some(keys) = addresses(tables, Way::Recipients, to)?
        {
            return Ok(Lookup::By(Way::Recipients, keys));
        }
        let is_open = wanted.status.is_some_and(|status| !status.is_some_and(|s| s.is_settled()));
        let is_unknown = wanted.status == Some(None);
        if wanted.inbound == Some(true) {
            return by_mark(Mark::Inbound);
        }
        if wanted.conflict == Some(true) {
            return by_mark(Mark::Conflict);
        }
        if wanted.stuck_since.is_some() || is_open && !is_unknown {
            return by_mark(Mark::Open);
        }
        if is_unknown {
            let marks = [Mark::Open, Mark::NoStatus, Mark::Inbound];
            return Ok(Lookup::By(Way::Marks, marks.map(marked).into()));
        }
        if let Some(from) = &wanted.from
            && let Some(keys) = addresses(tables, Way::Senders, from)?
        {
            return Ok(Lookup::By(Way::Senders, keys));
        }
        match (wanted.late, wanted.duplicate) {
            (_, Some(true)) => by_mark(Mark::Duplicate),
            (Some(true), _) => by_mark(Mark::Late),
            _ if wanted.inbound == Some(false) => Ok(Lookup::AllBut(marked(Mark::Inbound))),
            _ => Ok(Lookup::All),
        }
    }

    /// The greatest ids found below one, in descending order; fewer only at the end.
    fn below(&self, tables: Tables<'_>, before: u64, at_most: usize) -> rusqlite::Result<Vec<u64>> {
        match self {
            Lookup::All => {
                let sql = "SELECT id FROM messages{} WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
                ids(tables.prepare(sql)?.query_map(params![before, at_most], |row| row.get(0))?)
            }
            Lookup::AllBut(mark) => all_but(tables, mark, before, at_most),
            Lookup::By(way, keys) => {
                let sql = format!(
                    "SELECT id FROM {}{{}}
                     WHERE key = ?1 AND id < ?2
                     ORDER BY id DESC
                     LIMIT ?3",
                    way.table()
                );
                let (mut statement, mut found) = (tables.prepare(&sql)?, Vec::new());
                for key in keys {
                    let values = params![&key[..], before, at_most];
                    found.extend(ids(statement.query_map(values, |row| row.get(0))?)?);
                }
                found.sort_unstable_by(|a, b| b.cmp(a));
                found.truncate(at_most);
                Ok(found)
            }
        }
    }
}

/// The greatest ids below one that do not have a mark. Ids are dense, so the gaps between marked ones
/// are what is wanted, and a long run of marked messages is passed without reading any of them.
fn all_but(
    tables: Tables<'_>,
    mark: &Key,
    before: u64,
    at_most: usize,
) -> rusqlite::Result<Vec<u64>> {
    let mut next = before.min(tables.last_id()? + 1);
    let mut statement = tables.prepare(
        "SELECT id FROM marks{}
         WHERE key = ?1 AND id < ?2
         ORDER BY id DESC",
    )?;
    let mut marked = statement.query(params![&mark[..], next])?;
    let mut found = Vec::with_capacity(at_most);
    while found.len() < at_most {
        let skipped = marked.next()?.map_or(Ok(0), |row| row.get::<_, u64>(0))?;
        while next > skipped + 1 && found.len() < at_most {
            next -= 1;
            found.push(next);
        }
        if skipped == 0 {
            break;
        }
        next = next.min(skipped);
    }
    Ok(found)
}

fn ids(rows: impl Iterator<Item = rusqlite::Result<u64>>) -> rusqlite::Result<Vec<u64>> {
    rows.collect()
}

/// The addresses that a pattern means; nothing where there are too many.
fn addresses(
    tables: Tables<'_>,
    way: Way,
    pattern: &AddressPattern,
) -> rusqlite::Result<Option<Vec<Key>>> {
    let digits = match pattern {
        AddressPattern::Whole(address) => return Ok(Some(vec![reversed(address)])),
        AddressPattern::Ending(digits) => reversed(digits),
    };
    // From one address to the next, each found by its index and not by reading what lies between.
    let sql = format!("SELECT key FROM {}{{}} WHERE key > ?1 ORDER BY key LIMIT 1", way.table());
    let (mut statement, mut addresses, mut after) =
        (tables.prepare(&sql)?, Vec::new(), digits.clone());
    // The address may consist of just these digits.
    addresses.push(digits.clone());
    loop {
        let mut next = statement.query([&after[..]])?;
        let Some(row) = next.next()? else { return Ok(Some(addresses)) };
        let address = Key::from_slice(row.get_ref(0)?.as_blob()?);
        if !address.starts_with(&digits) {
            return Ok(Some(addresses));
        }
        if addresses.len() == ENDINGS_MAX {
            return Ok(None);
        }
        after.clone_from(&address);
        addresses.push(address);
    }
}
