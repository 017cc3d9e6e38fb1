//! Known facts: statuses, error codes and prices of messages that are in the log, or about to be, but perhaps not
//! yet in the views.
//!
//! Imports and reconciliation use them, together with the views, to append only what is new.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::erased::erased_by;
use crate::domain::message::status_reported::StatusReported;
use crate::domain::price::Price;
use crate::domain::{AccountSid, ErrorCode, MessageKey, NewEvent, Position, Status};
use crate::store::{Store, StoreError, for_each_event};
use crate::twilio::callback::ParsedCallback;

/// Part of a SHA-256: there may be millions of facts, and two must never be confused.
type Fact = [u8; 16];

/// Whether an event adds to the known facts of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It reports a status, an error code or a price for the first time.
    New,
    /// Its message was erased, and is not taken in again.
    Erased,
    /// Earlier events have reported the same.
    Known,
    /// It is not about a message, or reports nothing of it.
    NoReport,
}

/// Facts that the views may not have yet.
#[derive(Debug, Default)]
pub struct KnownFacts {
    /// The position of the log up to which, at least, facts are known here or in the views.
    up_to: Position,
    facts: HashSet<Fact>,
}

impl KnownFacts {
    /// Reads the log from the views' checkpoint to its head. Facts that the views have are forgotten.
    pub fn read_on(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let projected = store.views().checkpoint()?.position;
        if projected >= self.up_to {
            self.facts.clear();
            self.up_to = projected;
        }
        for_each_event(store, self.up_to + 1.., &mut |event| {
            self.up_to = event.position;
            self.insert(event);
            ControlFlow::Continue(())
        })
    }

    /// Whether an event adds to the views of a ledger and these facts. If so, its facts are inserted.
    pub fn insert_if_new(
        &mut self,
        store: Option<&dyn Store>,
        event: &NewEvent,
    ) -> Result<Novelty, StoreError> {
        let reading = ParsedCallback::parse(event);
        let (Some(key), Some(reported)) = (reading.message_key(), &reading.reported) else {
            return Ok(Novelty::NoReport);
        };
        if let Some(store) = store {
            if erased_by(store, &[&key])?[0].is_some() {
                return Ok(Novelty::Erased);
            }
            let messages = store.views().find(&key.message_sid)?.1;
            let known = messages.iter().find(|message| message.key == key);
            if known.is_some_and(|message| message.lifecycle.evidence.contains(reported)) {
                return Ok(Novelty::Known);
            }
        }
        if self.has(&key, reported) {
            return Ok(Novelty::Known);
        }
        self.insert_facts(&key, reported);
        Ok(Novelty::New)
    }

    /// Inserts the facts of an event that is, or will be, in the log.
    pub fn insert(&mut self, event: &NewEvent) {
        let reading = ParsedCallback::parse(event);
        if let (Some(key), Some(reported)) = (reading.message_key(), &reading.reported) {
            self.insert_facts(&key, reported);
        }
    }

    /// Like [`Evidence::contains`](crate::domain::message::lifecycle::Evidence::contains), for these facts.
    fn has(&self, key: &MessageKey, reported: &StatusReported) -> bool {
        let has = |status, code| self.facts.contains(&fact(key, status, code));
        let has_price =
            price_of(reported).is_none_or(|price| self.facts.contains(&fact_of_price(key, price)));
        has_price
            && match (reported.status, reported.error_code) {
                // Any status shows that the message is known, so an unrecognised word adds nothing.
                (None, None) => {
                    has(None, None) || Status::ALL.iter().any(|it| has(Some(*it), None))
                }
                (status, code) => has(status, code),
            }
    }

    fn insert_facts(&mut self, key: &MessageKey, reported: &StatusReported) {
        self.facts.insert(fact(key, reported.status, None));
        if let code @ Some(_) = reported.error_code {
            self.facts.insert(fact(key, reported.status, code));
        }
        if let Some(price) = price_of(reported) {
            self.facts.insert(fact_of_price(key, price));
        }
    }
}

fn price_of(reported: &StatusReported) -> Option<Price> {
    reported.details.as_ref()?.price
}

fn fact_of_price(key: &MessageKey, Price { amount, currency }: Price) -> Fact {
    hashed(key, &format!("price {amount} {}", currency.as_str()), u32::MAX)
}

fn fact(key: &MessageKey, status: Option<Status>, code: Option<ErrorCode>) -> Fact {
    hashed(key, status.map_or("", Status::name), code.map_or(u32::MAX, ErrorCode::number))
}

fn hashed(key: &MessageKey, what: &str, code: u32) -> Fact {
    let account_sid = key.account_sid.as_ref().map_or("", AccountSid::as_str);
    let mut hash = Sha256::new();
    for text in [account_sid, key.message_sid.as_str(), what] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(code.to_be_bytes());
    let mut fact = [0; 16];
    fact.copy_from_slice(&hash.finalize()[..16]);
    fact
}
