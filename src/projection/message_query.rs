//! Queries for one message. The views lead to its events up to the checkpoint, and a scan of the log's tail adds
//! the rest, so that the result is never behind the log.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::batch::prepare::BATCH_EVENTS_MAX;
use super::erased::{ErasedMessage, erased_by, find_erased};
use super::fold::{Folded, fold};
use crate::domain::{AccountSid, MessageKey, MessageSid, Position, RecordedEvent, Rule, Timestamp};
use crate::store::{Store, StoreError, for_each_event};
use crate::twilio::callback::ParsedCallback;
use crate::twilio::event_sids::EventSids;

/// Maximum length of the tail for interactive queries: two batches of a projection under full load, which take
/// some 45 ms to read.
pub const TAIL_EVENTS_MAX: u64 = 2 * BATCH_EVENTS_MAX;

/// The point up to which a message's events count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// All events of the log.
    Head,
    /// Events up to this position.
    Position(Position),
    /// Events received up to then, this moment included.
    Time(Timestamp),
}

/// A query: which message, by which rule, as of when.
#[derive(Debug, Clone)]
pub struct MessageQuery {
    /// The SID of the message.
    pub message_sid: MessageSid,
    /// The message's account; `Some(None)` is the message without an account. If it is `None`, the message is
    /// that of the only account with this SID, or the one without an account if there is none.
    pub account_sid: Option<Option<AccountSid>>,
    /// The rule by which the status is decided.
    pub rule: Rule,
    /// The events that count.
    pub as_of: AsOf,
}

/// A position that the log has not reached. Using the head instead would give another result tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log ends at position {head}, before position {asked_for}")]
pub struct BeyondHead {
    /// The position in the query.
    pub asked_for: Position,
    /// The last position of the log.
    pub head: Position,
}

/// The result of a query.
#[derive(Debug, Clone)]
pub enum MessageResult {
    /// The log has no event of such a message.
    NotFound,
    /// The log ends before the position in the query.
    BeyondHead(BeyondHead),
    /// The message was erased.
    Erased(ErasedMessage),
    /// Several accounts have a message with this SID; events without an account do not count.
    Ambiguous(Vec<AccountSid>),
    /// The message as of then.
    Found {
        /// The message with its timeline.
        folded: Box<Folded>,
        /// The last position that counts.
        as_of_position: Position,
    },
}

/// The number of events between the views' checkpoint and the head.
pub fn tail_length(store: &dyn Store) -> Result<u64, StoreError> {
    let checkpoint = store.views().checkpoint()?.position;
    Ok(store.head()?.saturating_sub(checkpoint))
}

/// Runs a query against the log up to its current head.
pub fn find_message(store: &dyn Store, query: &MessageQuery) -> Result<MessageResult, StoreError> {
    let (checkpoint, known) = store.views().find(&query.message_sid)?;
    let head = store.head()?;
    let last = match query.as_of {
        AsOf::Position(asked_for) if asked_for > head => {
            return Ok(MessageResult::BeyondHead(BeyondHead { asked_for, head }));
        }
        AsOf::Position(position) => position,
        AsOf::Head | AsOf::Time(_) => head,
    };
    let mut events: BTreeMap<Option<AccountSid>, Vec<RecordedEvent>> = BTreeMap::new();
    for message in known {
        let positions = message.lifecycle.history.iter().map(|trace| trace.position);
        let positions: Vec<_> = positions.filter(|position| *position <= last).collect();
        if !positions.is_empty() {
            events.insert(message.key.account_sid, store.read_at(&positions)?);
        }
    }
    for (account, event) in tail(store, &query.message_sid, checkpoint.position, last)? {
        events.entry(account).or_default().push(event);
    }
    leave_out_erased(store, query, &mut events)?;
    match answer(query, last, events) {
        MessageResult::NotFound => {
            let erased = find_erased(store, &query.message_sid, query.account_sid.as_ref())?;
            Ok(erased.map_or(MessageResult::NotFound, MessageResult::Erased))
        }
        answer => Ok(answer),
    }
}

/// Leaves out the messages that were erased. Views that are not rebuilt yet have them, and events may follow.
fn leave_out_erased(
    store: &dyn Store,
    query: &MessageQuery,
    events: &mut BTreeMap<Option<AccountSid>, Vec<RecordedEvent>>,
) -> Result<(), StoreError> {
    let key = |account_sid: &Option<AccountSid>| MessageKey {
        account_sid: account_sid.clone(),
        message_sid: query.message_sid.clone(),
    };
    let keys: Vec<_> = events.keys().map(key).collect();
    let mut erased = erased_by(store, &keys.iter().collect::<Vec<_>>())?.into_iter();
    events.retain(|_, _| erased.next().flatten().is_none());
    Ok(())
}

/// The message's events between two positions, by scanning the log.
fn tail(
    store: &dyn Store,
    message_sid: &MessageSid,
    after: Position,
    last: Position,
) -> Result<Vec<(Option<AccountSid>, RecordedEvent)>, StoreError> {
    let mut found = Vec::new();
    for_each_event(store, after + 1..=last, &mut |event| {
        let sids = EventSids::parse(event);
        let is_of_message = sids.message_sid.as_deref() == Some(message_sid.as_str());
        // Nearly all are of other messages, and need not be read further.
        if is_of_message && ParsedCallback::parse(event).reported.is_some() {
            let account_sid = sids.account_sid.as_deref().and_then(AccountSid::parse);
            found.push((account_sid, event.clone()));
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn answer(
    query: &MessageQuery,
    last: Position,
    mut events: BTreeMap<Option<AccountSid>, Vec<RecordedEvent>>,
) -> MessageResult {
    if let AsOf::Time(until) = query.as_of {
        for of_account in events.values_mut() {
            of_account.retain(|event| event.received_at <= until);
        }
    }
    events.retain(|account, of_account| {
        let wanted = query.account_sid.as_ref().is_none_or(|wanted| wanted == account);
        wanted && !of_account.is_empty()
    });
    // A sender with another account's token can send events without an account, and a captured callback can be
    // stripped of its account: neither may hide the account's own message.
    let is_of_an_account = events.keys().any(Option::is_some);
    events.retain(|account, _| account.is_some() || !is_of_an_account);
    if events.len() > 1 {
        return MessageResult::Ambiguous(events.into_keys().flatten().collect());
    }
    let folded = events.into_iter().next().and_then(|(account_sid, events)| {
        let key = MessageKey { account_sid, message_sid: query.message_sid.clone() };
        fold(query.rule, &key, events)
    });
    match folded {
        Some(folded) => MessageResult::Found { folded: Box::new(folded), as_of_position: last },
        None => MessageResult::NotFound,
    }
}
