//! Selects what is erased: whole messages, with the sends that belong to them.
//!
//! The log is read in pages, and more than once: an event may connect a message with an earlier send.

use std::collections::{BTreeSet, HashMap};
use std::ops::{ControlFlow, RangeInclusive};

use super::EraseError;
use super::which::{Match, Which};
use crate::domain::digest::{Digester, Sids};
use crate::domain::hash::Hash;
use crate::domain::{Position, RecordedEvent, Source, Timestamp};
use crate::send::note;
use crate::store::{EventPages, Store};
use crate::twilio::callback::ParsedCallback;

/// Maximum groups that are selected at a time, which takes some 50 MB. What is beyond them is selected once they
/// are erased.
const GROUPS_MAX: usize = 100_000;

/// Maximum accounts that are kept, so that erased messages are found by their SIDs alone.
const ACCOUNTS_MAX: usize = 1000;

/// Maximum positions of events that mention an address and are not erased.
const MENTIONS_MAX: usize = 20;

/// Asked after each page; may stop.
pub type Stop<'a> = &'a mut dyn FnMut() -> ControlFlow<()>;

/// What belongs together: a message with its sends, or one event.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The events, each with whether it matches itself.
    pub events: Vec<(Position, bool)>,
    /// When the last of them was received.
    pub last_received_at: Option<Timestamp>,
    /// When a request to Twilio was made, if there is one.
    pub sent_at: Option<Timestamp>,
    /// The idempotency keys of those requests.
    pub keys: Vec<String>,
    /// Whether it has a message.
    pub is_message: bool,
}

/// What is to be erased.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The groups, in the order in which they were found.
    pub groups: Vec<Group>,
    /// The last position that was read.
    pub up_to: Position,
    /// The last position that was looked at for matches; if it is not that one, there are more.
    pub looked_at: Position,
    /// The accounts whose events match, if there are not too many.
    pub accounts: BTreeSet<String>,
    /// True if the address is one of ours.
    pub is_ours: bool,
    /// The first events of other messages that mention the address.
    pub mentions: Vec<Position>,
    /// The number of all such events.
    pub mentions_count: u64,
}

impl Selection {
    /// The number of events.
    pub fn events(&self) -> u64 {
        self.groups.iter().map(|group| group.events.len() as u64).sum()
    }

    /// The number of messages.
    pub fn messages(&self) -> u64 {
        self.groups.iter().filter(|group| group.is_message).count() as u64
    }
}

/// What connects events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Link {
    /// The hash of account and message.
    Message(Hash),
    /// The id of a request to Twilio.
    Send(String),
    /// The SID of the message that feedback is about.
    Noted(String),
    /// Nothing connects it.
    Event(Position),
}

/// Selects from the events up to a position. Events up to `after` were looked at before: they are erased only
/// with later ones that match.
pub fn select(
    store: &dyn Store,
    which: &Which,
    after: Position,
    up_to: Position,
    stop: Stop<'_>,
) -> Result<Selection, EraseError> {
    let mut selecting = Selecting {
        which,
        store,
        selection: Selection { up_to, looked_at: up_to, ..Selection::default() },
        parents: Vec::new(),
        links: HashMap::new(),
        digester: Digester::default(),
    };
    selecting.seed(after, stop)?;
    // Each pass may find sends of messages, and messages of sends, with events that were passed already. An
    // address may be mentioned even if no message has it.
    let mut known = if matches!(which, Which::Address(_)) { None } else { Some(0) };
    while known != Some(selecting.links.len()) {
        known = Some(selecting.links.len());
        selecting.collect_all(stop)?;
    }
    Ok(selecting.finish())
}

struct Selecting<'s> {
    which: &'s Which,
    store: &'s dyn Store,
    selection: Selection,
    /// The group that each one was united with; itself if none.
    parents: Vec<usize>,
    links: HashMap<Link, usize>,
    digester: Digester,
}

impl Selecting<'_> {
    /// Finds the groups.
    fn seed(&mut self, after: Position, stop: Stop<'_>) -> Result<(), EraseError> {
        let (store, up_to) = (self.store, self.selection.up_to);
        let by_erased = matches!(self.which, Which::Again);
        for_each_unerased(store, after + 1..=up_to, stop, &mut |page| {
            let mut erased = vec![None; page.len()];
            if by_erased {
                let hashes = page.iter().map(|event| self.message(event)).collect::<Vec<_>>();
                erased = store.erasing().erased_by(&hashes)?;
                let without = hashes.iter().zip(&mut erased).filter(|(hash, _)| is_none(hash));
                without.for_each(|(_, erased)| *erased = None);
            }
            for (event, erased) in page.iter().zip(erased) {
                if event.source != Source::Erasure {
                    self.seed_by(event, erased.is_some());
                }
            }
            Ok(())
        })
    }

    fn seed_by(&mut self, event: &RecordedEvent, is_erased: bool) {
        let parsed = ParsedCallback::parse(event);
        match self.which.matches(event, &parsed, is_erased) {
            Match::No | Match::Mention => return,
            Match::Yes => {}
            Match::Ours => self.selection.is_ours = true,
        }
        let accounts = &mut self.selection.accounts;
        if let Some(account) = &parsed.account_sid
            && accounts.len() < ACCOUNTS_MAX
            && !accounts.contains(&**account)
        {
            accounts.insert(account.to_string());
        }
        let is_full = self.selection.groups.len() >= GROUPS_MAX;
        if is_full || self.selection.looked_at < event.position {
            self.selection.looked_at = self.selection.looked_at.min(event.position - 1);
            return;
        }
        let links = self.links(event, &parsed);
        let group = self.group_of(&links).unwrap_or_else(|| {
            self.parents.push(self.parents.len());
            self.selection.groups.push(Group::default());
            self.parents.len() - 1
        });
        self.insert(links, &parsed, group);
    }

    /// Collects the events of all groups.
    fn collect_all(&mut self, stop: Stop<'_>) -> Result<(), EraseError> {
        self.selection.groups.iter_mut().for_each(|group| *group = Group::default());
        (self.selection.mentions, self.selection.mentions_count) = (Vec::new(), 0);
        let (store, up_to) = (self.store, self.selection.up_to);
        for_each_unerased(store, 1..=up_to, stop, &mut |page| {
            page.iter().for_each(|event| self.collect(event));
            Ok(())
        })
    }

    fn collect(&mut self, event: &RecordedEvent) {
        if event.source == Source::Erasure {
            if self.is_in_reference(event) {
                self.mention(event.position);
            }
            return;
        }
        let parsed = ParsedCallback::parse(event);
        let links = self.links(event, &parsed);
        let Some(group) = self.group_of(&links) else {
            if self.which.matches(event, &parsed, false) == Match::Mention {
                self.mention(event.position);
            }
            return;
        };
        self.insert(links, &parsed, group);
        let matches = self.which.matches(event, &parsed, false) != Match::No;
        let group = &mut self.selection.groups[group];
        group.events.push((event.position, matches));
        group.is_message |= parsed.message_sid.is_some();
        group.last_received_at = group.last_received_at.max(Some(event.received_at));
        if event.notes.get(note::STAGE).is_some_and(|stage| stage == "intent") {
            group.sent_at = group.sent_at.max(Some(event.received_at));
            group.keys.extend(event.notes.get(note::IDEMPOTENCY_KEY).cloned());
        }
    }

    fn mention(&mut self, position: Position) {
        self.selection.mentions_count += 1;
        if self.selection.mentions.len() < MENTIONS_MAX {
            self.selection.mentions.push(position);
        }
    }

    /// Whether the reference of an earlier erasure, which is never erased, mentions the address. Its positions
    /// are no addresses.
    fn is_in_reference(&self, erasure: &RecordedEvent) -> bool {
        let Which::Address(address) = self.which else { return false };
        let body = serde_json::from_slice::<serde_json::Value>(&erasure.body).unwrap_or_default();
        body["request"].as_str().is_some_and(|text| address.is_in_bytes(text.as_bytes()))
    }

    /// What connects an event with others.
    fn links(&mut self, event: &RecordedEvent, parsed: &ParsedCallback<'_>) -> Vec<Link> {
        let message = self.digester.message(sids(parsed));
        let message = Some(message).filter(|hash| !is_none(hash)).map(Link::Message);
        let noted = |name: &str| event.notes.get(name).cloned();
        let sends = [note::SEND_ID, note::MAY_ANSWER].into_iter().filter_map(noted).map(Link::Send);
        let feedback = noted(note::MESSAGE_SID).map(Link::Noted);
        let links: Vec<_> = message.into_iter().chain(sends).chain(feedback).collect();
        if links.is_empty() { vec![Link::Event(event.position)] } else { links }
    }

    /// The group of an event with these links, united if there are several.
    fn group_of(&mut self, links: &[Link]) -> Option<usize> {
        let found: Vec<_> = links.iter().filter_map(|link| self.links.get(link).copied()).collect();
        let roots: Vec<_> = found.into_iter().map(|group| self.root(group)).collect();
        let first = *roots.iter().min()?;
        for other in roots.into_iter().filter(|other| *other != first) {
            self.parents[other] = first;
            let Group { events, last_received_at, sent_at, keys, is_message } =
                std::mem::take(&mut self.selection.groups[other]);
            let group = &mut self.selection.groups[first];
            group.events.extend(events);
            group.keys.extend(keys);
            group.last_received_at = group.last_received_at.max(last_received_at);
            group.sent_at = group.sent_at.max(sent_at);
            group.is_message |= is_message;
        }
        Some(first)
    }

    fn root(&self, mut group: usize) -> usize {
        while self.parents[group] != group {
            group = self.parents[group];
        }
        group
    }

    /// Connects a group with the links of one of its events. Feedback names its message by the SID alone.
    fn insert(&mut self, links: Vec<Link>, parsed: &ParsedCallback<'_>, group: usize) {
        let noted = parsed.message_sid.as_ref().map(|sid| Link::Noted(sid.to_string()));
        for link in links.into_iter().chain(noted) {
            self.links.entry(link).or_insert(group);
        }
    }

    /// The hash of an event's message.
    fn message(&mut self, event: &RecordedEvent) -> Hash {
        self.digester.message(sids(&ParsedCallback::parse(event)))
    }

    fn finish(mut self) -> Selection {
        let is_older = |group: &Group| match self.which {
            Which::Before(time) => group.last_received_at.is_some_and(|last| last < *time),
            _ => true,
        };
        self.selection.groups.retain(|group| !group.events.is_empty() && is_older(group));
        self.selection
    }
}

fn sids<'a>(parsed: &'a ParsedCallback<'_>) -> Sids<'a> {
    Sids { account_sid: parsed.account_sid.as_deref(), message_sid: parsed.message_sid.as_deref() }
}

/// Whether this stands for no message.
fn is_none(message: &Hash) -> bool {
    *message == Hash::default()
}

/// Passes the events of a range that have content to `each`, erasures among them, in pages, until it is stopped.
fn for_each_unerased(
    store: &dyn Store,
    range: RangeInclusive<Position>,
    stop: Stop<'_>,
    each: &mut dyn FnMut(&[RecordedEvent]) -> Result<(), EraseError>,
) -> Result<(), EraseError> {
    for page in EventPages::new(store, range) {
        let mut page = page?;
        page.retain(|event| event.erased.is_none());
        each(&page)?;
        if stop().is_break() {
            return Err(EraseError::Stopped);
        }
    }
    Ok(())
}
