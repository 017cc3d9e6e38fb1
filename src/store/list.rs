//! Lists messages newest first, using the most selective index that the filter allows.
//! Engines read the indexes; which one is used, and when a list ends, is decided here.

use super::codec::address::{ReversedAddress, reversed};
use super::codec::flags::Flag;
use super::codec::tag_index;
use super::{Checkpoint, Message, MessagePage};
use crate::domain::message::filter::{AddressPattern, Candidate, MessageFilter};

/// The number of messages that one list reads: some 100 ms of work.
const MESSAGES_READ_MAX: usize = 50_000;

/// The number of ids that are looked up at a time.
const STEP_IDS: usize = 512;

/// The number of addresses with the same last digits that are looked up; more would take too long to
/// find, and would match too many messages.
const ENDINGS_MAX: usize = 2_000;

/// Any id is below this one.
const END: u64 = i64::MAX as u64;

/// One state of the views, by whose indexes messages are found.
pub trait MessageIndexes {
    /// An error of the engine.
    type Error;

    /// The checkpoint of this state.
    fn checkpoint(&self) -> Result<Checkpoint, Self::Error>;

    /// The greatest ids below one that an index finds, in descending order; fewer than `limit` only at the
    /// end.
    fn ids_below(&self, index: &Index, before: u64, limit: usize) -> Result<Vec<u64>, Self::Error>;

    /// The longer addresses with this end, in order, both reversed; at most `limit`.
    fn addresses_ending_with(
        &self,
        column: AddressColumn,
        end: &ReversedAddress,
        limit: usize,
    ) -> Result<Vec<ReversedAddress>, Self::Error>;

    /// The first of these messages, at most `limit`, that the filter matches.
    fn matching(
        &self,
        checkpoint: &Checkpoint,
        ids: &[u64],
        filter: &MessageFilter,
        limit: usize,
    ) -> Result<Vec<Message>, Self::Error>;
}

/// A way to find messages.
pub enum Index {
    /// By their ids.
    All,
    /// Those that have a flag.
    With(Flag),
    /// Those that do not have it.
    Without(Flag),
    /// Those with one of these addresses.
    Address(AddressColumn, Vec<ReversedAddress>),
    /// Those with a tag, by its hash.
    Tagged(i64),
}

/// A column with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressColumn {
    Recipient,
    Sender,
}

impl AddressColumn {
    /// The name of the column.
    pub fn name(self) -> &'static str {
        match self {
            AddressColumn::Recipient => "recipient",
            AddressColumn::Sender => "sender",
        }
    }

    /// The name of its index.
    pub fn index(self) -> &'static str {
        match self {
            AddressColumn::Recipient => "messages_by_recipient",
            AddressColumn::Sender => "messages_by_sender",
        }
    }
}

/// The indexes that together find every message that may match. The whole filter is applied to each of them.
struct Lookup(Vec<Index>);

/// At most `limit` messages that match the filter and have an id below `before`, newest first.
pub fn list<I: MessageIndexes>(
    indexes: &I,
    filter: &MessageFilter,
    before: Option<u64>,
    limit: usize,
) -> Result<MessagePage, I::Error> {
    let checkpoint = indexes.checkpoint()?;
    if filter.simulated == Some(true) && checkpoint.last_simulated == 0
        || filter.simulated == Some(false) && checkpoint.first_real == 0
    {
        return Ok(MessagePage { checkpoint, messages: Vec::new(), next_before: None });
    }
    let lookup = Lookup::new(indexes, &checkpoint, filter)?;
    let (mut messages, mut before, mut read) = (Vec::new(), before.unwrap_or(END), 0);
    let next_before = loop {
        let ids = lookup.below(indexes, before, STEP_IDS)?;
        let Some(last) = ids.last() else { break None };
        before = *last;
        // One more than fits shows that there is a next page.
        let wanted = limit + 1 - messages.len();
        messages.extend(indexes.matching(&checkpoint, &ids, filter, wanted)?);
        if messages.len() > limit {
            messages.truncate(limit);
            break messages.last().map(|last: &Message| last.id);
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
    fn new<I: MessageIndexes>(
        indexes: &I,
        checkpoint: &Checkpoint,
        filter: &MessageFilter,
    ) -> Result<Self, I::Error> {
        let mut lookups = Self::all_of(indexes, checkpoint, filter)?;
        for place in 0..lookups.len() {
            let found = lookups[place].below(indexes, END, STEP_IDS)?;
            if found.len() < STEP_IDS {
                return Ok(lookups.swap_remove(place));
            }
        }
        Ok(lookups.into_iter().next().unwrap_or(match filter.inbound {
            Some(false) => Lookup(vec![Index::Without(Flag::Inbound)]),
            _ => Lookup(vec![Index::All]),
        }))
    }

    /// Every lookup that finds all messages that the filter matches, the usually most selective first.
    fn all_of<I: MessageIndexes>(
        indexes: &I,
        checkpoint: &Checkpoint,
        filter: &MessageFilter,
    ) -> Result<Vec<Self>, I::Error> {
        use AddressColumn::{Recipient, Sender};
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
        let flags = flags.iter().filter(|(is, _)| *is);
        let tags = filter.tags.iter().filter(|(name, _)| checkpoint.indexed_tags.contains(name));
        let tags = tags.map(|(name, value)| Index::Tagged(tag_index::hash(name, value)));
        // No other message than these has an unknown status.
        let unknown = [Flag::Open, Flag::WithoutStatus, Flag::Inbound].map(Index::With);
        let mut lookups = Vec::new();
        lookups.extend(by_address(indexes, &[Recipient], filter.to.as_ref())?);
        lookups.extend(by_address(indexes, &[Recipient, Sender], filter.address.as_ref())?);
        lookups.extend(tags.map(|index| Lookup(vec![index])));
        lookups.extend(flags.map(|(_, flag)| Lookup(vec![Index::With(*flag)])));
        lookups.extend(is_unknown.then_some(Lookup(unknown.into())));
        lookups.extend(by_address(indexes, &[Sender], filter.from.as_ref())?);
        Ok(lookups)
    }

    /// The greatest ids found below one, in descending order, each once; fewer only at the end.
    fn below<I: MessageIndexes>(
        &self,
        indexes: &I,
        before: u64,
        limit: usize,
    ) -> Result<Vec<u64>, I::Error> {
        let [index] = &self.0[..] else {
            let mut ids = Vec::new();
            for index in &self.0 {
                ids.extend(indexes.ids_below(index, before, limit)?);
            }
            return Ok(greatest(ids, limit));
        };
        indexes.ids_below(index, before, limit)
    }
}

/// The greatest of these ids in descending order, each once.
pub fn greatest(mut ids: Vec<u64>, limit: usize) -> Vec<u64> {
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    ids.truncate(limit);
    ids
}

/// The lookup by addresses in these columns. If one column has too many, the others alone would not find all
/// messages.
fn by_address<I: MessageIndexes>(
    indexes: &I,
    columns: &[AddressColumn],
    pattern: Option<&AddressPattern>,
) -> Result<Option<Lookup>, I::Error> {
    let Some(pattern) = pattern else { return Ok(None) };
    let mut lookup = Vec::new();
    for column in columns {
        let Some(addresses) = addresses(indexes, *column, pattern)? else { return Ok(None) };
        lookup.push(Index::Address(*column, addresses));
    }
    Ok(Some(Lookup(lookup)))
}

/// The addresses that match a pattern; `None` if there are too many.
fn addresses<I: MessageIndexes>(
    indexes: &I,
    column: AddressColumn,
    pattern: &AddressPattern,
) -> Result<Option<Vec<ReversedAddress>>, I::Error> {
    let candidates = match pattern {
        AddressPattern::Suffix(digits) => return ending_with(indexes, column, reversed(digits)),
        // Addresses are indexed by their ends.
        AddressPattern::Prefix(_) => return Ok(None),
        AddressPattern::AnyOf(candidates) => candidates,
    };
    let mut addresses = Vec::new();
    for candidate in candidates {
        addresses.push(reversed(candidate.as_str()));
        if let Candidate::Number(number) = candidate {
            let with_prefix = ending_with(indexes, column, reversed(&format!(":{number}")))?;
            let Some(with_prefix) = with_prefix else { return Ok(None) };
            addresses.extend(with_prefix);
        }
    }
    // A message with both addresses must be listed once.
    addresses.sort_unstable();
    addresses.dedup();
    Ok(Some(addresses))
}

/// The addresses with this end, and the end itself; `None` if there are too many.
fn ending_with<I: MessageIndexes>(
    indexes: &I,
    column: AddressColumn,
    end: ReversedAddress,
) -> Result<Option<Vec<ReversedAddress>>, I::Error> {
    let longer = indexes.addresses_ending_with(column, &end, ENDINGS_MAX)?;
    // The address may consist of just this.
    Ok((longer.len() < ENDINGS_MAX).then(|| [vec![end], longer].concat()))
}
