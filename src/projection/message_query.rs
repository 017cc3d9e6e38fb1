//! One message at the moment of asking: the views' way to its events up to the checkpoint,
//! then a scan of the log's tail, so that the answer is never behind.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::fold::{Folded, fold};
use crate::domain::{AccountSid, MessageKey, MessageSid, Position, RecordedEvent, Rule, Timestamp};
use crate::store::{Store, StoreError, for_each_event};
use crate::twilio::callback::ParsedCallback;

/// How long a tail may be for a question that somebody waits for; some 10 ms of reading.
pub const TAIL_EVENTS_MAX: u64 = 10_000;

/// Up to where a message's events count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    Head,
    Position(Position),
    /// Events received up to then, this moment included.
    Time(Timestamp),
}

/// Which message, by which rule, as of when.
#[derive(Debug, Clone)]
pub struct Question {
    pub message_sid: MessageSid,
    /// Which account's, if that is known: `Some(None)` is the message without an account. If not, it
    /// is that of the only account that has the SID, or the one without an account if none has.
    pub account_sid: Option<Option<AccountSid>>,
    pub rule: Rule,
    pub as_of: AsOf,
}

/// A position that the log has not reached. To take the head for it would give another answer
/// tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log ends at position {head}, before position {asked_for}")]
pub struct BeyondHead {
    pub asked_for: Position,
    pub head: Position,
}

/// What was found.
#[derive(Debug, Clone)]
pub enum Answer {
    NotFound,
    BeyondHead(BeyondHead),
    /// Several accounts have a message with this SID. Events without an account are not among them.
    Ambiguous(Vec<AccountSid>),
    Found {
        folded: Box<Folded>,
        as_of_position: Position,
    },
}

/// How many events lie between the views' checkpoint and the head.
pub fn tail_length(store: &dyn Store) -> Result<u64, StoreError> {
    let checkpoint = store.views().checkpoint()?.position;
    Ok(store.head()?.saturating_sub(checkpoint))
}

/// Answers from the log up to its head at the moment of asking.
pub fn ask(store: &dyn Store, question: &Question) -> Result<Answer, StoreError> {
    let (checkpoint, known) = store.views().find(&question.message_sid)?;
    let head = store.head()?;
    let last = match question.as_of {
        AsOf::Position(asked_for) if asked_for > head => {
            return Ok(Answer::BeyondHead(BeyondHead { asked_for, head }));
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
    for (account, event) in tail(store, &question.message_sid, checkpoint.position, last)? {
        events.entry(account).or_default().push(event);
    }
    Ok(answer(question, last, events))
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
        let reading = ParsedCallback::parse(event);
        if reading.reported.is_some()
            && reading.message_sid.as_deref() == Some(message_sid.as_str())
        {
            let account_sid = reading.account_sid.as_deref().and_then(AccountSid::parse);
            found.push((account_sid, event.clone()));
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn answer(
    question: &Question,
    last: Position,
    mut events: BTreeMap<Option<AccountSid>, Vec<RecordedEvent>>,
) -> Answer {
    if let AsOf::Time(until) = question.as_of {
        for of_account in events.values_mut() {
            of_account.retain(|event| event.received_at <= until);
        }
    }
    events.retain(|account, of_account| {
        let wanted = question.account_sid.as_ref().is_none_or(|wanted| wanted == account);
        wanted && !of_account.is_empty()
    });
    // Whoever has a token of another account can send events without an account, and whoever has a
    // captured callback can cut its account away: they must not hide the account's own message.
    let is_of_an_account = events.keys().any(Option::is_some);
    events.retain(|account, _| account.is_some() || !is_of_an_account);
    if events.len() > 1 {
        return Answer::Ambiguous(events.into_keys().flatten().collect());
    }
    let folded = events.into_iter().next().and_then(|(account_sid, events)| {
        let key = MessageKey { account_sid, message_sid: question.message_sid.clone() };
        fold(question.rule, &key, events)
    });
    match folded {
        Some(folded) => Answer::Found { folded: Box::new(folded), as_of_position: last },
        None => Answer::NotFound,
    }
}
