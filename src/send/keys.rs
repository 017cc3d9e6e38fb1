//! Keys under which our callers ask for a message, so that asking twice makes one
//! (as in <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
//!
//! They stand in the notes of intents, so that a server that was restarted knows them too.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::{Draft, Outcome, note};
use crate::domain::digest::hex;
use crate::domain::{AccountSid, NewEvent, Source, Timestamp};
use crate::store::{Store, StoreError, for_each_event};
use crate::twilio_api::Credentials;

/// How long a key is known: whoever asks again asks within minutes, or starts anew.
const KNOWN_FOR_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// How many characters a key may have.
pub const KEY_CHARACTERS_MAX: usize = 255;

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has used it; now it is the caller's, who has to settle it.
    New,
    /// The same request is on its way.
    InFlight,
    /// The same request was made, and this came of it.
    Done { send_id: String, outcome: Outcome },
    /// It was used for another request.
    Other,
}

/// Every key of the last 24 hours.
#[derive(Default)]
pub struct Keys(Mutex<Option<HashMap<String, Use>>>);

struct Use {
    at: Timestamp,
    send_id: String,
    request_hash: String,
    /// Nothing while the request is on its way.
    outcome: Option<Outcome>,
}

impl Keys {
    /// Asks what a key stands for, and takes it where it is new. The first time the log is read for
    /// them, which takes about a second for some million events.
    pub fn claim(
        &self,
        store: &dyn Store,
        key: &str,
        (send_id, request_hash): (&str, &str),
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = Timestamp::from_micros(now.micros() - KNOWN_FOR_MICROS);
        let known = match &mut *keys {
            Some(known) => known,
            none => none.insert(read(store, since)?),
        };
        known.retain(|_, used| used.at >= since);
        Ok(match known.get(key) {
            Some(used) if used.request_hash != request_hash => Claim::Other,
            Some(Use { outcome: Some(outcome), send_id, .. }) => {
                Claim::Done { send_id: send_id.clone(), outcome: outcome.clone() }
            }
            Some(Use { outcome: None, .. }) => Claim::InFlight,
            None => {
                let (send_id, request_hash) = (send_id.to_owned(), request_hash.to_owned());
                let used = Use { at: now, send_id, request_hash, outcome: None };
                known.insert(key.to_owned(), used);
                Claim::New
            }
        })
    }

    /// Notes what came of a request. Where nothing reached Twilio the key can be used again.
    pub fn settle(&self, key: &str, outcome: Outcome) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = &mut *keys else { return };
        match outcome {
            Outcome::NotSent(_) => drop(known.remove(key)),
            outcome => {
                if let Some(used) = known.get_mut(key) {
                    used.outcome = Some(outcome);
                }
            }
        }
    }
}

/// What a request is told from others by. It is keyed with the account's secret: a plain hash would
/// let whoever reads the log find out a short text by trying.
pub fn request_hash(who: &Credentials, account_sid: &AccountSid, draft: &Draft) -> String {
    let secret = who.password.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key may have any length");
    mac.update(account_sid.as_str().as_bytes());
    mac.update(b"\n");
    mac.update(&draft.form());
    hex(&mac.finalize().into_bytes())
}

/// The keys that the log knows, with what came of each.
fn read(store: &dyn Store, since: Timestamp) -> Result<HashMap<String, Use>, StoreError> {
    let mut known: HashMap<String, Use> = HashMap::new();
    // By the send's id, whose key it is.
    let mut open: HashMap<String, String> = HashMap::new();
    for_each_event(store, 1.., &mut |event| {
        if event.source == Source::Send && event.received_at >= since {
            take(event, &mut known, &mut open);
        }
        ControlFlow::Continue(())
    })?;
    Ok(known)
}

fn take(event: &NewEvent, known: &mut HashMap<String, Use>, open: &mut HashMap<String, String>) {
    let text = |name: &str| event.notes.get(name).cloned().unwrap_or_default();
    match (text(note::STAGE).as_str(), event.notes.get(note::IDEMPOTENCY_KEY)) {
        ("intent", Some(key)) => {
            open.insert(text(note::SEND_ID), key.clone());
            let ended = "the server ended before Twilio's answer was kept".to_owned();
            let used = Use {
                at: event.received_at,
                send_id: text(note::SEND_ID),
                request_hash: text(note::REQUEST_HASH),
                outcome: Some(Outcome::Unknown(ended)),
            };
            known.insert(key.clone(), used);
        }
        _ => {
            let Some(outcome) = Outcome::of_event(event) else { return };
            let Some(key) = open.remove(&text(note::SEND_ID)) else { return };
            match outcome {
                Outcome::NotSent(_) => drop(known.remove(&key)),
                outcome => {
                    if let Some(used) = known.get_mut(&key) {
                        used.outcome = Some(outcome);
                    }
                }
            }
        }
    }
}
