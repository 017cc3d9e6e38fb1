//! The idempotency keys in the log, each with the outcome of its request.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::domain::{Position, RecordedEvent, Source, Timestamp};
use crate::send::{LoggedOutcome, SendOutcome, note};
use crate::store::{Store, StoreError, for_each_event};

/// The keys that were in the log when it was read.
#[derive(Default)]
pub struct LoggedKeys {
    keys: HashMap<String, LoggedKey>,
    /// Keys by the id of their send, until its outcome is read.
    open: HashMap<String, String>,
    /// How far the log was read; `None` before the first time.
    read_to: Option<Position>,
}

/// A key, and what the log says of its request.
#[derive(Debug, Clone)]
pub struct LoggedKey {
    at: Timestamp,
    /// Identifies the request.
    pub request_hash: String,
    /// What has become of it, as far as it is known.
    pub outcome: LoggedOutcome,
}

impl LoggedKeys {
    /// Reads the log, if it was not read before: the keys since a time.
    pub fn read_once(&mut self, store: &dyn Store, since: Timestamp) -> Result<(), StoreError> {
        match self.read_to {
            None => self.read_on(store, since),
            Some(_) => Ok(()),
        }
    }

    /// Reads what the log has beyond what was read.
    pub fn read_on(&mut self, store: &dyn Store, since: Timestamp) -> Result<(), StoreError> {
        self.keys.retain(|_, logged| logged.at >= since);
        let (mut read_to, next) = (self.read_to.unwrap_or(0), self.read_to.unwrap_or(0) + 1);
        let read = for_each_event(store, next.., &mut |event| {
            if event.source == Source::Send && event.received_at >= since {
                self.take(event);
            }
            read_to = event.position;
            ControlFlow::Continue(())
        });
        read?;
        self.read_to = Some(read_to);
        Ok(())
    }

    /// What the log says of a key, if it was used since a time.
    pub fn get(&self, key: &str, since: Timestamp) -> Option<LoggedKey> {
        self.keys.get(key).filter(|logged| logged.at >= since).cloned()
    }

    fn take(&mut self, event: &RecordedEvent) {
        let text = |name: &str| event.notes.get(name).cloned().unwrap_or_default();
        let send_id = text(note::SEND_ID);
        match (text(note::STAGE).as_str(), event.notes.get(note::IDEMPOTENCY_KEY)) {
            ("intent", Some(key)) => {
                self.open.insert(send_id.clone(), key.clone());
                let ended = "the server ended before Twilio's answer was kept".to_owned();
                let outcome = LoggedOutcome {
                    send_id,
                    outcome: SendOutcome::Unknown(ended),
                    intent_position: event.position,
                    answer_position: None,
                };
                let (at, request_hash) = (event.received_at, text(note::REQUEST_HASH));
                self.keys.insert(key.clone(), LoggedKey { at, request_hash, outcome });
            }
            _ => {
                let Some(outcome) = SendOutcome::from_event(event) else { return };
                let Some(key) = self.open.remove(&send_id) else { return };
                self.settle(key, outcome, event.position);
            }
        }
    }

    /// Records an outcome. A key whose request did not reach Twilio can be used again.
    fn settle(&mut self, key: String, outcome: SendOutcome, position: Position) {
        if let SendOutcome::NotSent(_) = outcome {
            self.keys.remove(&key);
        } else if let Some(logged) = self.keys.get_mut(&key) {
            logged.outcome.outcome = outcome;
            logged.outcome.answer_position = Some(position);
        }
    }
}
