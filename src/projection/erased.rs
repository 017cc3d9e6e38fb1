//! Erased messages: they are recognised by the hash of account and SID, which is all that is left of them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::digest::{Digester, Sids};
use crate::domain::message::filter::MessageFilter;
use crate::domain::{AccountSid, MessageKey, MessageSid, Position, Timestamp};
use crate::store::{KeptValue, Message, MessagePage, Store, StoreError};

/// An erased message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasedMessage {
    /// The position of its last erasure.
    pub position: Position,
    /// When that was.
    pub at: Timestamp,
}

impl fmt::Display for ErasedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, at } = self;
        write!(f, "this message was erased at {at}, as the event at position {position} records")
    }
}

/// What a ledger keeps about its erasures outside the log. Without it, everything still works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErasureState {
    /// True from the first transaction of an erasure until every trace is removed.
    pub unfinished: bool,
    /// Accounts that erased messages had. A SID alone is looked up with each of them.
    #[serde(default)]
    pub accounts: BTreeSet<String>,
}

impl ErasureState {
    /// What is kept; nothing if it cannot be read.
    pub fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let kept = store.kept(KeptValue::Erasure)?;
        Ok(kept.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default())
    }

    /// Keeps it.
    pub fn write(&self, store: &dyn Store) -> Result<(), StoreError> {
        let json = serde_json::to_vec(self).expect("it is JSON");
        store.keep(KeptValue::Erasure, &json)
    }
}

/// The positions of the last erasures of messages; `None` for each that was not erased.
pub fn erased_by(
    store: &dyn Store,
    keys: &[&MessageKey],
) -> Result<Vec<Option<Position>>, StoreError> {
    if keys.is_empty() || !store.erasing().has_erased()? {
        return Ok(vec![None; keys.len()]);
    }
    let mut digester = Digester::default();
    let hashes: Vec<_> = keys
        .iter()
        .map(|key| {
            let account_sid = key.account_sid.as_ref().map(AccountSid::as_str);
            digester.message(Sids { account_sid, message_sid: Some(key.message_sid.as_str()) })
        })
        .collect();
    store.erasing().erased_by(&hashes)
}

/// The views' list, without messages that were erased: views that are not rebuilt yet have them.
pub fn list(
    store: &dyn Store,
    filter: &MessageFilter,
    before: Option<u64>,
    limit: usize,
) -> Result<MessagePage, StoreError> {
    let mut page = store.views().list(filter, before, limit)?;
    leave_out(store, &mut page.messages)?;
    Ok(page)
}

/// Leaves out erased messages, if the views may still have some.
pub fn leave_out(store: &dyn Store, messages: &mut Vec<Message>) -> Result<(), StoreError> {
    if ErasureState::read(store)?.unfinished {
        let keys: Vec<_> = messages.iter().map(|message| &message.key).collect();
        let mut erased = erased_by(store, &keys)?.into_iter();
        messages.retain(|_| erased.next().flatten().is_none());
    }
    Ok(())
}

/// The erased message with this SID: of an account, of none (`Some(None)`), or of any that is known.
pub fn find_erased(
    store: &dyn Store,
    message_sid: &MessageSid,
    account_sid: Option<&Option<AccountSid>>,
) -> Result<Option<ErasedMessage>, StoreError> {
    if !store.erasing().has_erased()? {
        return Ok(None);
    }
    let accounts = match account_sid {
        Some(account_sid) => vec![account_sid.clone()],
        None => {
            let kept = ErasureState::read(store)?.accounts;
            let kept = kept.iter().filter_map(|sid| AccountSid::parse(sid));
            kept.chain(store.views().accounts()?).map(Some).chain([None]).collect()
        }
    };
    let keys = accounts
        .into_iter()
        .map(|account_sid| MessageKey { account_sid, message_sid: message_sid.clone() });
    let keys: Vec<_> = keys.collect();
    let erased = erased_by(store, &keys.iter().collect::<Vec<_>>())?;
    let Some(position) = erased.into_iter().flatten().max() else { return Ok(None) };
    let erasure = store.read_at(&[position])?;
    Ok(erasure.first().map(|erasure| ErasedMessage { position, at: erasure.received_at }))
}
