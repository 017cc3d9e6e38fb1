//! Idempotency keys: a request that is repeated under the same key is made once only
//! (as in <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
//!
//! Keys are in the notes of intents, so a restarted server reads them from its log. Before the intent is there, a
//! claim keeps other requests from being made under the same key.

mod logged_keys;
mod own_claims;

use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use self::logged_keys::LoggedKeys;
use self::own_claims::OwnClaims;
use super::{LoggedOutcome, Request, SendKind, SendOutcome};
use crate::domain::Timestamp;
use crate::domain::hash::hex;
use crate::store::claims::{Claim, Claimed, Claims, KeptSince};
use crate::store::{Store, StoreError};
use crate::twilio_api::Credentials;

/// The time for which a key is remembered; retries happen within minutes.
const KNOWN_FOR_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The time after which a request that is in flight on another server is looked up in the log: longer than most
/// requests take. It may still be made then, but only if its intent is in the log already.
const IN_FLIGHT_FOR_MICROS: i64 = 2 * 60 * 1_000_000;

/// The maximum length of a key, in characters.
pub const KEY_CHARACTERS_MAX: usize = 255;

/// The state of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// It was unused; the caller now holds this claim, and has to settle it.
    New(Claim),
    /// The same request is in flight.
    InFlight,
    /// The same request was made, with this outcome.
    Done(LoggedOutcome),
    /// It was used for another request.
    OtherRequest,
}

/// Every key of the last 24 hours.
#[derive(Default)]
pub struct IdempotencyKeys {
    logged: Mutex<LoggedKeys>,
    /// The claims of this process, if the store has none that every process sees.
    own: OwnClaims,
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
        let ago = |micros| Timestamp::from_micros(now.micros() - micros);
        let kept =
            KeptSince { with_outcome: ago(KNOWN_FOR_MICROS), in_flight: ago(IN_FLIGHT_FOR_MICROS) };
        self.logged().read_once(store, kept.with_outcome)?;
        let claim = Claim { key: key.to_owned(), request_hash: request_hash.to_owned(), at: now };
        match self.claims(store).claim(&claim, kept)? {
            Claimed::New => self.look_up(store, claim, kept.with_outcome),
            Claimed::TakenOver => {
                // Whatever its process has appended until now is read here, and afterwards it finds that it
                // has lost the key.
                self.logged().read_on(store, kept.with_outcome)?;
                self.look_up(store, claim, kept.with_outcome)
            }
            Claimed::Kept { request_hash: made, .. } if made != request_hash => {
                Ok(Lookup::OtherRequest)
            }
            Claimed::Kept { outcome: None, .. } => Ok(Lookup::InFlight),
            Claimed::Kept { outcome: Some(outcome), .. } => Ok(Lookup::Done(from_json(&outcome)?)),
        }
    }

    /// The state of a key that was claimed just now: the log may have its request, as after a restart.
    fn look_up(
        &self,
        store: &dyn Store,
        claim: Claim,
        since: Timestamp,
    ) -> Result<Lookup, StoreError> {
        let Some(logged) = self.logged().get(&claim.key, since) else {
            return Ok(Lookup::New(claim));
        };
        let made = Claim { request_hash: logged.request_hash, ..claim.clone() };
        self.claims(store).settle(&made, &to_json(&logged.outcome))?;
        match made == claim {
            true => Ok(Lookup::Done(logged.outcome)),
            false => Ok(Lookup::OtherRequest),
        }
    }

    /// False if another process has taken the key over, because this one was too slow. To be asked when the
    /// intent is in the log: whoever takes the key over after that finds it there.
    pub fn is_held(&self, store: &dyn Store, claim: &Claim) -> Result<bool, StoreError> {
        self.claims(store).is_held(claim)
    }

    /// Records the outcome of a request; `None` if it was not made. If nothing reached Twilio, the key can be
    /// used again.
    pub fn settle(
        &self,
        store: &dyn Store,
        claim: &Claim,
        outcome: Option<&LoggedOutcome>,
    ) -> Result<(), StoreError> {
        match outcome {
            None | Some(LoggedOutcome { outcome: SendOutcome::NotSent(_), .. }) => {
                self.claims(store).release(claim)
            }
            Some(outcome) => self.claims(store).settle(claim, &to_json(outcome)),
        }
    }

    fn claims<'s>(&'s self, store: &'s dyn Store) -> &'s dyn Claims {
        store.claims().unwrap_or(&self.own)
    }

    fn logged(&self) -> MutexGuard<'_, LoggedKeys> {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_json(outcome: &LoggedOutcome) -> Vec<u8> {
    serde_json::to_vec(outcome).expect("an outcome is JSON")
}

fn from_json(outcome: &[u8]) -> Result<LoggedOutcome, StoreError> {
    serde_json::from_slice(outcome).map_err(|error| StoreError::Engine {
        act: "read the outcome of an idempotency key".to_owned(),
        cause: Box::new(error),
    })
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
