//! Idempotency keys: a request that is repeated under the same key is made once only
//! (as in <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
//!
//! Keys are in the notes of intents, so a restarted server reads them from its log.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::{LoggedOutcome, Request, SendKind, SendOutcome, note};
use crate::domain::hash::hex;
use crate::domain::{RecordedEvent, Source, Timestamp};
use crate::store::{Store, StoreError, for_each_event};
use crate::twilio_api::Credentials;

/// The time for which a key is remembered; retries happen within minutes.
const KNOWN_FOR_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The maximum length of a key, in characters.
pub const KEY_CHARACTERS_MAX: usize = 255;

/// The state of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// It was unused; the caller now owns it, and has to settle it.
    New,
    /// The same request is in flight.
    InFlight,
    /// The same request was made, with this outcome.
    Done(LoggedOutcome),
    /// It was used for another request.
    OtherRequest,
}

/// Every key of the last 24 hours.
#[derive(Default)]
pub struct IdempotencyKeys(Mutex<Option<HashMap<String, KnownKey>>>);

struct KnownKey {
    at: Timestamp,
    request_hash: String,
    /// `None` while the request is in flight.
    outcome: Option<LoggedOutcome>,
}

impl IdempotencyKeys {
    /// Returns the state of a key, and claims it if it is new. The first call reads the keys from the log,
    /// which takes about a second per million events.
    pub fn claim(
        &self,
        store: &dyn Store,
        key: &str,
        request_hash: &str,
        now: Timestamp,
    ) -> Result<Lookup, StoreError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = Timestamp::from_micros(now.micros() - KNOWN_FOR_MICROS);
        let known = match &mut *keys {
            Some(known) => known,
            none => none.insert(read(store, since)?),
        };
        known.retain(|_, used| used.at >= since);
        Ok(match known.get(key) {
            Some(used) if used.request_hash != request_hash => Lookup::OtherRequest,
            Some(KnownKey { outcome: Some(outcome), .. }) => Lookup::Done(outcome.clone()),
            Some(KnownKey { outcome: None, .. }) => Lookup::InFlight,
            None => {
                let used =
                    KnownKey { at: now, request_hash: request_hash.to_owned(), outcome: None };
                known.insert(key.to_owned(), used);
                Lookup::New
            }
        })
    }

    /// Records the outcome of a request; `None` if it was not made. If nothing reached Twilio, the key can be
    /// used again.
    pub fn settle(&self, key: &str, outcome: Option<LoggedOutcome>) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &mut *keys {
            settle(known, key, outcome);
        }
    }
}

fn settle(known: &mut HashMap<String, KnownKey>, key: &str, outcome: Option<LoggedOutcome>) {
    match outcome {
        None | Some(LoggedOutcome { outcome: SendOutcome::NotSent(_), .. }) => {
            known.remove(key);
        }
        outcome => {
            if let Some(used) = known.get_mut(key) {
                used.outcome = outcome;
            }
        }
    }
}

/// A hash that identifies a request. It is keyed with the account's secret, because a reader of the log
/// could guess a short text from a plain hash.
pub fn request_hash(who: &Credentials, request: &Request) -> String {
    let secret = who.password.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key may have any length");
    mac.update(request.account_sid.as_str().as_bytes());
    mac.update(b"\n");
    // A form of feedback does not name the message; its path does.
    if request.kind == SendKind::Feedback {
        mac.update(request.path.as_bytes());
        mac.update(b"\n");
    }
    mac.update(&request.form);
    hex(&mac.finalize().into_bytes())
}

/// The keys in the log, each with its outcome.
fn read(store: &dyn Store, since: Timestamp) -> Result<HashMap<String, KnownKey>, StoreError> {
    let mut known: HashMap<String, KnownKey> = HashMap::new();
    // Keys by the id of their send.
    let mut open: HashMap<String, String> = HashMap::new();
    for_each_event(store, 1.., &mut |event| {
        if event.source == Source::Send && event.received_at >= since {
            take(event, &mut known, &mut open);
        }
        ControlFlow::Continue(())
    })?;
    Ok(known)
}

fn take(
    event: &RecordedEvent,
    known: &mut HashMap<String, KnownKey>,
    open: &mut HashMap<String, String>,
) {
    let text = |name: &str| event.notes.get(name).cloned().unwrap_or_default();
    let send_id = text(note::SEND_ID);
    match (text(note::STAGE).as_str(), event.notes.get(note::IDEMPOTENCY_KEY)) {
        ("intent", Some(key)) => {
            open.insert(send_id.clone(), key.clone());
            let ended = "the server ended before Twilio's answer was kept".to_owned();
            let outcome = LoggedOutcome {
                send_id,
                outcome: SendOutcome::Unknown(ended),
                intent_position: event.position,
                answer_position: None,
            };
            let used = KnownKey {
                at: event.received_at,
                request_hash: text(note::REQUEST_HASH),
                outcome: Some(outcome),
            };
            known.insert(key.clone(), used);
        }
        _ => {
            let Some(outcome) = SendOutcome::from_event(event) else { return };
            let Some(key) = open.remove(&send_id) else { return };
            let intent = known.get(&key).and_then(|used| used.outcome.clone());
            let answer_position = Some(event.position);
            let logged = intent.map(|intent| LoggedOutcome { outcome, answer_position, ..intent });
            settle(known, &key, logged);
        }
    }
}
