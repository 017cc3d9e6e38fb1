//! The messages of one batch, found by the account and SID of an event.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::domain::hash::Hash;
use crate::domain::{AccountSid, Lifecycle, MessageKey, MessageSid};
use crate::store::{Message, MessageChange};

/// Messages in the order of their first arrival.
#[derive(Default)]
pub struct BatchMessages {
    messages: Vec<MessageChange>,
    /// The hash of each message, as entries have it: it is the same for all of its events.
    hashes: Vec<Hash>,
    /// The index of each message in `messages`, by the hash of its key. The key is only stored there, so
    /// that an event of a message already in the batch needs no copy of it.
    places: HashTable<usize>,
    hasher: RandomState,
    /// The account of the last new message. Most have the same, and share one copy of it.
    account_sid: Option<AccountSid>,
}

impl BatchMessages {
    /// Reserves memory for this many more messages.
    pub fn reserve(&mut self, messages: usize) {
        self.messages.reserve(messages);
        self.hashes.reserve(messages);
    }

    /// The lifecycle of a message so far, and its hash; begun if it is new. The SIDs are not empty.
    pub fn entry(
        &mut self,
        account_sid: Option<&str>,
        message_sid: &str,
        begin: impl FnOnce() -> (Lifecycle, Hash),
    ) -> (&mut Lifecycle, &Hash) {
        let Self { messages, hashes, places, hasher, account_sid: last } = self;
        let hash = hasher.hash_one((account_sid, message_sid));
        let known = places
            .find(hash, |place| messages[*place].message.key.matches(account_sid, message_sid));
        let place = known.copied().unwrap_or_else(|| {
            if last.as_ref().map(AccountSid::as_str) != account_sid {
                *last = account_sid.and_then(AccountSid::parse);
            }
            let key = MessageKey {
                account_sid: last.clone(),
                message_sid: MessageSid::parse(message_sid).expect("a message SID is not empty"),
            };
            let (lifecycle, message_hash) = begin();
            hashes.push(message_hash);
            let message = Message { id: 0, key, lifecycle };
            messages.push(MessageChange { before: None, message });
            let rehash = |place: &usize| {
                let MessageKey { account_sid, message_sid } = &messages[*place].message.key;
                let account_sid = account_sid.as_ref().map(AccountSid::as_str);
                hasher.hash_one((account_sid, message_sid.as_str()))
            };
            *places.insert_unique(hash, messages.len() - 1, rehash).get()
        });
        (&mut messages[place].message.lifecycle, &hashes[place])
    }

    /// Takes the messages, in the order of their first arrival. None has a state before the batch yet.
    pub fn take(&mut self) -> Vec<MessageChange> {
        self.places.clear();
        self.hashes.clear();
        std::mem::take(&mut self.messages)
    }

    /// Reuses the memory of messages that are not needed any more.
    pub fn reuse(&mut self, mut messages: Vec<MessageChange>) {
        messages.clear();
        self.messages = messages;
    }
}
