//! Recognises rejected requests that are an account's own, even during a flood of forged ones.
//!
//! A forger can name a configured account, so only a signature is evidence: it is valid for the
//! request as it is, or after an edit that the diagnosis knows. A full search computes thousands of
//! signatures. But a misconfiguration affects every callback in the same way, so the remedies that
//! worked before are tried first, at the cost of a few signatures.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::candidate::{AS_IT_IS, Candidate};
use super::rejection::Rejection;
use super::{signed, with_rejected};
use crate::rate_limit::{Quota, RateLimit};
use crate::store::quarantine::Rank;
use crate::twilio::diagnosis::{Diagnosis, Remedy, diagnose_quickly, remedy_fits};
use crate::twilio::signature::{InvalidReason, SIGNATURE_HEADER};

/// The maximum number of remembered remedies. There is usually one mistake, or a few with several
/// proxies or URLs. Each costs a few signatures per rejected request.
const REMEMBERED_MAX: usize = 4;

/// The number of requests a second that get a quick search for a single edit. Each search takes 100 to
/// 200 µs, so this is at most a tenth of a core; in a flood of 20,000 requests a second with one genuine
/// callback in a hundred, the cause is found within a second.
const QUICK_PER_SECOND: u32 = 500;

/// The number of requests a second for which a remembered remedy is tried that changes more than
/// scheme, host or port: each takes a few hundred microseconds to build all variants of path and query.
const LABORIOUS_PER_SECOND: u32 = 2000;

/// The number of requests with the same signature that may rank above the lowest: Twilio retries up
/// to five times, so further ones are copies.
const SAME_SIGNATURE_MAX: u8 = 6;

/// The number of signatures remembered to detect copies, in each of two tables of some 4 MiB; a full
/// table is emptied. Only the account itself can fill the table of recognised requests.
const SIGNATURES_REMEMBERED_MAX: usize = 1 << 18;

/// The lengths of an HMAC-SHA1 and an HMAC-SHA256, in bytes.
const MAC_BYTES: [usize; 2] = [20, 32];

/// Ranks rejected requests by whether they are an account's own.
pub struct Recogniser {
    remembered: Mutex<Vec<Remedy>>,
    quick: RateLimit,
    laborious: RateLimit,
    seen_recognised: Signatures,
    seen_possible: Signatures,
}

impl Default for Recogniser {
    fn default() -> Self {
        let rate = |per_second| RateLimit::new(Quota::per_second(per_second));
        let (quick, laborious) = (rate(QUICK_PER_SECOND), rate(LABORIOUS_PER_SECOND));
        let (remembered, seen_recognised, seen_possible) = Default::default();
        Self { remembered, quick, laborious, seen_recognised, seen_possible }
    }
}

impl Recogniser {
    /// A request's rank, and the cause if it is recognised. The time is bounded: a few signatures for
    /// each remembered remedy, and some hundred more for a limited number of requests a second.
    pub fn rank(&self, candidate: &Candidate) -> (Rank, Option<String>) {
        let cause = match ownership(candidate) {
            Ownership::No => return (Rank::Other, None),
            Ownership::Fits => Some(AS_IT_IS.to_owned()),
            Ownership::Possible(reason) => {
                self.fitting(candidate, reason).map(|fitting| Diagnosis::Fits(fitting).to_string())
            }
        };
        let rank = match &cause {
            Some(_) if self.seen_recognised.count_and_check(candidate) => Rank::Recognised,
            None if has_form(candidate) && self.seen_possible.count_and_check(candidate) => {
                Rank::Possible
            }
            _ => Rank::Other,
        };
        (rank, cause)
    }

    /// The rank of a request that a full search has recognised.
    pub fn rank_found(&self, candidate: &Candidate) -> Rank {
        match self.seen_recognised.count_and_check(candidate) {
            true => Rank::Recognised,
            false => Rank::Other,
        }
    }

    /// Remembers the remedy that made a request's signature valid; the latest one is tried first.
    pub fn remember(&self, fitting: &Remedy) {
        let mut remembered = self.remembered();
        if remembered.first() == Some(fitting) {
            return;
        }
        remembered.retain(|other| other != fitting);
        remembered.insert(0, fitting.clone());
        remembered.truncate(REMEMBERED_MAX);
    }

    fn fitting(&self, candidate: &Candidate, reason: InvalidReason) -> Option<Remedy> {
        let remembered = self.remembered().clone();
        let found = with_rejected(
            &candidate.request,
            reason,
            &candidate.listener(),
            |case, configured| {
                let may = |fitting: &Remedy| {
                    fitting.is_of_origin() || self.laborious.try_acquire().is_ok()
                };
                let mut remembered = remembered.into_iter();
                let again = remembered
                    .find(|fitting| may(fitting) && remedy_fits(case, configured, fitting));
                again.or_else(|| {
                    self.quick.try_acquire().ok().and_then(|()| diagnose_quickly(case, configured))
                })
            },
        )?;
        self.remember(&found);
        Some(found)
    }

    fn remembered(&self) -> MutexGuard<'_, Vec<Remedy>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of times that each signature has arrived.
#[derive(Default)]
struct Signatures {
    times: Mutex<HashMap<u64, u8>>,
    hashing: RandomState,
}

impl Signatures {
    /// Counts a request's signature; returns false if it has arrived too often.
    fn count_and_check(&self, candidate: &Candidate) -> bool {
        let hash = self.hashing.hash_one(signature(candidate));
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() >= SIGNATURES_REMEMBERED_MAX {
            times.clear();
        }
        let times = times.entry(hash).or_default();
        *times = times.saturating_add(1);
        *times <= SAME_SIGNATURE_MAX
    }
}

fn signature(candidate: &Candidate) -> &[u8] {
    candidate.request.headers.get(SIGNATURE_HEADER).unwrap_or_default()
}

/// True if the signature header has the form of a signature.
fn has_form(candidate: &Candidate) -> bool {
    STANDARD.decode(signature(candidate)).is_ok_and(|mac| MAC_BYTES.contains(&mac.len()))
}

/// The facts about a request before any edit is tried.
enum Ownership {
    /// No edit can make its signature valid with the configured keys.
    No,
    /// Its signature is valid: it was rejected for another reason.
    Fits,
    /// It names a configured account, or none, and its signature is invalid.
    Possible(InvalidReason),
}

fn ownership(candidate: &Candidate) -> Ownership {
    let request = &candidate.request;
    let reason = match candidate.rejection {
        _ if !request.whole => return Ownership::No,
        Rejection::Signature(reason) => reason,
        _ => match signed(request, &candidate.accounts, &candidate.public_urls) {
            Ok(_) => return Ownership::Fits,
            Err(reason) => reason,
        },
    };
    match reason {
        InvalidReason::Mismatch
        | InvalidReason::NotBase64
        | InvalidReason::BodyHashMissing
        | InvalidReason::BodyHashDiffers => Ownership::Possible(reason),
        InvalidReason::Missing
        | InvalidReason::UnknownAccount
        | InvalidReason::ContradictingAccounts
        | InvalidReason::UnknownAlgorithm
        | InvalidReason::UnknownSharedKey => Ownership::No,
    }
}
