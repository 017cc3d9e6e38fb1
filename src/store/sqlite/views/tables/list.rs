//! Lists messages newest first, using the most selective index that the filter allows.

use rusqlite::params;

use crate::domain::message::filter::{AddressPattern, Candidate, MessageFilter};
use crate::store::sqlite::views::codec::flags::Flag;
use crate::store::sqlite::views::tables::Tables;
use crate::store::sqlite::views::tables::message_row::{ReversedAddress, reversed};
use crate::store::sqlite::views::tables::tag_index;
use crate::store::{Message, MessagePage};

/// The number of messages that one list reads: some 100 ms of work.
const MESSAGES_READ_MAX: usize = 50_000;

/// The number of ids that are looked up at a time.
const STEP_IDS: usize = 512;

/// The number of addresses with the same last digits that are looked up; more would take too long to
/// find, and would match too many messages.
const ENDINGS_MAX: usize = 2_000;

/// How messages that may match are found. The whole filter is applied to each of them.
enum Lookup {
    All,
    With(Flag),
    Without(Flag),
    /// Those that are open, or inbound, or without a status: no other has an unknown status.
    WithUnknownStatus,
    By(Vec<(AddressColumn, Vec<ReversedAddress>)>),
    /// Those with a tag, by its hash.
    Tagged(i64),
}

/// A column with an address, and its index.
#[derive(Clone, Copy)]
struct AddressColumn {
    name: &'static str,
    index: &'static str,
}

const RECIPIENT: AddressColumn =
    AddressColumn { name: "recipient", index: "messages_by_recipient" };
const SENDER: AddressColumn = AddressColumn { name: "sender", index: "messages_by_sender" };

/// At most `limit` messages that match the filter and have an id below `before`, newest first.
pub fn list(
    tables: Tables<'_>,
    filter: &MessageFilter,
    before: Option<u64>,
    limit: usize,
) -> rusqlite::Result<MessagePage> {
    let checkpoint = tables.checkpoint()?;
    if filter.simulated == Some(true) && checkpoint.last_simulated == 0
        || filter.simulated == Some(false) && checkpoint.first_real == 0
    {
        return Ok(MessagePage { checkpoint, messages: Vec::new(), next_before: None });
    }
    let (lookup, mut reader) = (Lookup::new(tables, filter)?, tables.messages(checkpoint.rule)?);
    let (mut messages, mut before, mut read) = (Vec::new(), before.unwrap_or(i64::MAX as u64), 0);
    let next_before = loop {
        let ids = lookup.below(tables, before, STEP_IDS)?;
        let Some(last) = ids.last() else { break None };
        before = *last;
        for id in ids {
            if !reader.matches(id, filter)? {
                continue;
            }
            if messages.len() == limit {
                // There is at least one more message.
                let next_before = messages.last().map(|last: &Message| last.id);
                return Ok(MessagePage { checkpoint, messages, next_before });
            }
            messages.push(reader.by_id(id)?);
        }
        read += STEP_IDS;
        if read >= MESSAGES_READ_MAX {
            break Some(before);
        }
    };
    Ok(MessagePage { checkpoint, messages, next_before })
}

impl Lookup {
    /// The lookup that finds the fewest messages. Of those that find many, the first is used.
    fn new(tables: Tables<'_>, filter: &MessageFilter) -> rusqlite::Result<Self> {
        let mut lookups = Self::all_of(tables, filter)?;
        for place in 0..lookups.len() {
            let found = lookups[place].below(tables, i64::MAX as u64, STEP_IDS)?;
            if found.len() < STEP_IDS {
                return Ok(lookups.swap_remove(place));
            }
        }
        Ok(lookups.into_iter().next().unwrap_or(match filter.inbound {
            Some(false) => Lookup::Without(Flag::Inbound),
            _ => Lookup::All,
        }))
    }

    /// Every lookup that finds all messages that the filter matches, the usually most selective first.
    fn all_of(tables: Tables<'_>, filter: &MessageFilter) -> rusqlite::Result<Vec<Self>> {
        let by_address = |columns: &[AddressColumn], pattern: &Option<AddressPattern>| {
            let Some(pattern) = pattern else { return Ok(None) };
            let in_column = |column: &AddressColumn| {
                let addresses = addresses(tables, *column, pattern)?;
                Ok::<_, rusqlite::Error>(addresses.map(|addresses| (*column, addresses)))
            };
            // If one column has too many addresses, the other alone would not find all messages.
            let columns: Result<Option<_>, rusqlite::Error> =
                columns.iter().map(in_column).collect();
            columns.map(|found| found.map(Lookup::By))
        };
        let is_open = filter.status.is_some_and(|status| !status.is_some_and(|s| s.is_settled()));
        let is_unknown = filter.status == Some(None);
        let flags = [
            (filter.inbound == Some(true), Flag::Inbound),
            (filter.conflict == Some(true), Flag::Conflict),
            (
                filter.open == Some(true) || filter.stuck_since.is_some() || is_open && !is_unknown,
                Flag::Open,
            ),
            (filter.duplicate == Some(true), Flag::Duplicate),
            (filter.late == Some(true), Flag::Late),
        ];
        let indexed = tables.checkpoint()?.indexed_tags;
        let tags = filter.tags.iter().filter(|(name, _)| indexed.contains(name));
        let mut lookups = Vec::new();
        lookups.extend(by_address(&[RECIPIENT], &filter.to)?);
        lookups.extend(by_address(&[RECIPIENT, SENDER], &filter.address)?);
        lookups.extend(tags.map(|(name, value)| Lookup::Tagged(tag_index::hash(name, value))));
        lookups.extend(flags.iter().filter(|(is, _)| *is).map(|(_, flag)| Lookup::With(*flag)));
        lookups.extend(is_unknown.then_some(Lookup::WithUnknownStatus));
        lookups.extend(by_address(&[SENDER], &filter.from)?);
        Ok(lookups)
    }

    /// The greatest ids found below one, in descending order; fewer only at the end.
    fn below(&self, tables: Tables<'_>, before: u64, at_most: usize) -> rusqlite::Result<Vec<u64>> {
        match self {
            Lookup::All => {
                let sql = "SELECT id FROM messages WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
                ids(tables.prepare(sql)?.query_map(params![before, at_most], |row| row.get(0))?)
            }
            Lookup::With(flag) => with(tables, *flag, before, at_most),
            Lookup::Without(flag) => without(tables, *flag, before, at_most),
            Lookup::Tagged(hash) => tag_index::ids_below(tables, *hash, before, at_most),
            Lookup::WithUnknownStatus => {
                let mut found = Vec::new();
                for flag in [Flag::Open, Flag::WithoutStatus, Flag::Inbound] {
                    found.extend(with(tables, flag, before, at_most)?);
                }
                Ok(greatest(found, at_most))
            }
            Lookup::By(columns) => {
                let mut found = Vec::new();
                for (AddressColumn { name, index }, addresses) in columns {
                    let mut statement = tables.prepare(&format!(
                        "SELECT id
                         FROM messages INDEXED BY {index}
                         WHERE {name} = ?1 AND id < ?2
                         ORDER BY id DESC
                         LIMIT ?3"
                    ))?;
                    for address in addresses {
                        let values = params![&address[..], before, at_most];
                        found.extend(ids(statement.query_map(values, |row| row.get(0))?)?);
                    }
                }
                Ok(greatest(found, at_most))
            }
        }
    }
}

/// The greatest of these ids in descending order, each once.
fn greatest(mut ids: Vec<u64>, at_most: usize) -> Vec<u64> {
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    ids.truncate(at_most);
    ids
}

/// The greatest ids below one that have a flag.
fn with(tables: Tables<'_>, flag: Flag, before: u64, at_most: usize) -> rusqlite::Result<Vec<u64>> {
    let mut statement = tables.prepare(&format!("{} LIMIT ?2", select_with(flag)))?;
    ids(statement.query_map(params![before, at_most], |row| row.get(0))?)
}

/// The greatest ids below one that do not have a flag. Ids are dense, so these are the gaps between the
/// messages that have it, and a long run of those is passed without reading any of them.
fn without(
    tables: Tables<'_>,
    flag: Flag,
    before: u64,
    at_most: usize,
) -> rusqlite::Result<Vec<u64>> {
    let mut next = before.min(tables.last_id()? + 1);
    let mut statement = tables.prepare(&select_with(flag))?;
    let mut flagged = statement.query(params![next])?;
    let mut found = Vec::with_capacity(at_most);
    while found.len() < at_most {
        let skipped = flagged.next()?.map_or(Ok(0), |row| row.get::<_, u64>(0))?;
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

/// A partial index is only used by a query that repeats its condition.
fn select_with(flag: Flag) -> String {
    format!(
        "SELECT id
         FROM messages INDEXED BY {}
         WHERE flags & {} AND id < ?1
         ORDER BY id DESC",
        flag.index(),
        flag as u8
    )
}

fn ids(rows: impl Iterator<Item = rusqlite::Result<u64>>) -> rusqlite::Result<Vec<u64>> {
    rows.collect()
}

/// The addresses that match a pattern; `None` if there are too many.
fn addresses(
    tables: Tables<'_>,
    column: AddressColumn,
    pattern: &AddressPattern,
) -> rusqlite::Result<Option<Vec<ReversedAddress>>> {
    let candidates = match pattern {
        AddressPattern::Suffix(digits) => return ending_with(tables, column, reversed(digits)),
        // Addresses are indexed by their ends.
        AddressPattern::Prefix(_) => return Ok(None),
        AddressPattern::AnyOf(candidates) => candidates,
    };
    let mut addresses = Vec::new();
    for candidate in candidates {
        addresses.push(reversed(candidate.as_str()));
        if let Candidate::Number(number) = candidate {
            let with_prefix = ending_with(tables, column, reversed(&format!(":{number}")))?;
            let Some(with_prefix) = with_prefix else { return Ok(None) };
            addresses.extend(with_prefix);
        }
    }
    // A message with both addresses must be listed once.
    addresses.sort_unstable();
    addresses.dedup();
    Ok(Some(addresses))
}

/// The addresses with this end, whose bytes are given reversed; `None` if there are too many.
fn ending_with(
    tables: Tables<'_>,
    AddressColumn { name, index }: AddressColumn,
    end: ReversedAddress,
) -> rusqlite::Result<Option<Vec<ReversedAddress>>> {
    // From one address to the next, without reading the entries in between.
    let mut statement = tables.prepare(&format!(
        "SELECT {name}
         FROM messages INDEXED BY {index}
         WHERE {name} > ?1
         ORDER BY {name}
         LIMIT 1"
    ))?;
    // The address may consist of just this.
    let (mut addresses, mut after) = (vec![end.clone()], end.clone());
    loop {
        let mut next = statement.query([&after[..]])?;
        let Some(row) = next.next()? else { return Ok(Some(addresses)) };
        let address = ReversedAddress::from_slice(row.get_ref(0)?.as_blob()?);
        if !address.starts_with(&end) {
            return Ok(Some(addresses));
        }
        if addresses.len() == ENDINGS_MAX {
            return Ok(None);
        }
        after.clone_from(&address);
        addresses.push(address);
    }
}
