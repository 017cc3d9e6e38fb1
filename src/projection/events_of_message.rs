//! The positions of all events of a message: those that report something of it, those that only name it, and those
//! that were erased.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::erased::ErasureState;
use crate::domain::digest::{Digester, Sids};
use crate::domain::hash::Hash;
use crate::domain::{AccountSid, MessageKey, MessageSid, Position, RecordedEvent};
use crate::store::{SilentEvent, Store, StoreError, for_each_event};
use crate::twilio::event_sids::EventSids;

/// How many events that report nothing are taken into account. A message has some ten events, but anybody with a token
/// can send others that name it.
const SILENT_EVENTS_MAX: usize = 100_000;

/// The events of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEvents {
    /// The message, with its account.
    pub key: MessageKey,
    /// Their positions, in order.
    pub positions: Vec<Position>,
}

/// The result of looking for the events of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventsOfMessage {
    /// The log has none.
    NotFound,
    /// Several accounts have a message with this SID.
    Ambiguous(Vec<AccountSid>),
    /// These.
    Found(MessageEvents),
}

/// The events of a message up to a position. Without an account, the message is that of the only account with this
/// SID, or the one without an account if there is none.
pub fn events_of_message(
    store: &dyn Store,
    message_sid: &MessageSid,
    account_sid: Option<&Option<AccountSid>>,
    up_to: Position,
) -> Result<EventsOfMessage, StoreError> {
    let (checkpoint, known) = store.views().find(message_sid)?;
    let mut accounts: BTreeSet<Option<AccountSid>> = BTreeSet::new();
    let mut positions: BTreeSet<(Option<AccountSid>, Position)> = BTreeSet::new();
    for message in known {
        let of_message = message.lifecycle.history.iter().map(|trace| trace.position);
        for position in of_message.filter(|position| *position <= up_to) {
            positions.insert((message.key.account_sid.clone(), position));
        }
    }
    // The tail, which the views have not read.
    for_each_event(store, checkpoint.position + 1..=up_to, &mut |event| {
        let sids = EventSids::parse(event);
        if sids.message_sid.as_deref() == Some(message_sid.as_str()) {
            let account = sids.account_sid.as_deref().and_then(AccountSid::parse);
            positions.insert((account, event.position));
        }
        ControlFlow::Continue(())
    })?;
    accounts.extend(positions.iter().map(|(account, _)| account.clone()));
    // An erased message, or one that is only named, is known by its hash alone.
    accounts.extend(account_sid.cloned());
    accounts.insert(None);
    if account_sid.is_none() && positions.is_empty() {
        let kept = ErasureState::read(store)?.accounts;
        let kept = kept.iter().filter_map(|sid| AccountSid::parse(sid));
        accounts.extend(kept.chain(store.views().accounts()?).map(Some));
    }
    for account in &accounts {
        let hash = message_hash(account.as_ref(), message_sid);
        for position in positions_by_hash(store, &hash)? {
            if position <= up_to {
                positions.insert((account.clone(), position));
            }
        }
    }
    Ok(choose(message_sid, account_sid, positions))
}

/// The events that only name a message, and those that were erased.
fn positions_by_hash(store: &dyn Store, message: &Hash) -> Result<Vec<Position>, StoreError> {
    let key = SilentEvent::key(message);
    let after = SilentEvent { message: key, position: 0 };
    let found = store.views().silent_events(after, key, SILENT_EVENTS_MAX)?;
    let positions: Vec<_> = found.into_iter().map(|event| event.position).collect();
    let mut digester = Digester::default();
    // Two messages may have the beginning of their hashes in common.
    let is_of_message = |event: &RecordedEvent| {
        let sids = EventSids::parse(event);
        let hash = event.erased.map(|erased| erased.message);
        hash.unwrap_or_else(|| digester.message(sids.as_sids())) == *message
    };
    let mut events = store.read_at(&positions)?;
    let mut is_of_message = is_of_message;
    events.retain(|event| is_of_message(event));
    Ok(events.into_iter().map(|event| event.position).collect())
}

/// The hash of a message in entries.
pub fn message_hash(account: Option<&AccountSid>, message_sid: &MessageSid) -> Hash {
    let sids = Sids {
        account_sid: account.map(AccountSid::as_str),
        message_sid: Some(message_sid.as_str()),
    };
    Digester::default().message(sids)
}

fn choose(
    message_sid: &MessageSid,
    wanted: Option<&Option<AccountSid>>,
    mut positions: BTreeSet<(Option<AccountSid>, Position)>,
) -> EventsOfMessage {
    positions.retain(|(account, _)| wanted.is_none_or(|wanted| wanted == account));
    // An event without an account may be sent by anybody with another account's token: it never hides one.
    let is_of_an_account = positions.iter().any(|(account, _)| account.is_some());
    positions.retain(|(account, _)| account.is_some() || !is_of_an_account);
    let accounts: BTreeSet<_> = positions.iter().map(|(account, _)| account.clone()).collect();
    let mut accounts = accounts.into_iter();
    match (accounts.next(), accounts.next()) {
        (None, _) => EventsOfMessage::NotFound,
        (Some(account_sid), None) => EventsOfMessage::Found(MessageEvents {
            key: MessageKey { account_sid, message_sid: message_sid.clone() },
            positions: positions.into_iter().map(|(_, position)| position).collect(),
        }),
        (Some(first), Some(second)) => EventsOfMessage::Ambiguous(
            [first, second].into_iter().chain(accounts).flatten().collect(),
        ),
    }
}
