//! Which rejected requests are an account's own, told while a flood of forged ones comes.
//!
//! A forger can name a configured account, so only a signature tells: it fits the request as it is,
//! or it would fit after an edit that the search for causes knows. A full search takes thousands of
//! signatures. But whatever is misconfigured is misconfigured for every callback, so the edits that
//! have helped before are tried first, for each request; a few signatures each.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::keeper::{AS_IT_IS, Refused};
use super::rejection::Rejection;
use super::{signed, with_case};
use crate::twilio::cause::{Cause, Fitting, again, quick};
use crate::twilio::signature::{Refusal, SIGNATURE_HEADER};

/// How many causes are remembered. One mistake is the rule; a few stand for several proxies or URLs.
/// Each costs every rejected request a few signatures.
const REMEMBERED_MAX: usize = 8;

/// Of how many requests a second one edit is looked for at once, before any is known to help. Each
/// takes some hundred microseconds, so this is at most a tenth or so of a core; at a flood of
/// 20,000 a second with one genuine callback in a hundred, the cause is found within a second.
const QUICK_PER_SECOND: NonZeroU32 = NonZeroU32::new(500).expect("it is not zero");

/// How many requests with the same signature count as recognised: Twilio tries again up to five
/// times. Further ones are a replay, and rank with the unknown.
const SAME_SIGNATURE_MAX: u8 = 6;

/// How many signatures are remembered to tell replays; they are forgotten all at once. At 32 bytes
/// each this is 4 MiB. Only fitting ones are: nobody but the account can make many of them.
const SIGNATURES_REMEMBERED_MAX: usize = 65_536;

/// See the module.
pub struct Recogniser {
    remembered: Mutex<Vec<Fitting>>,
    quick: DefaultDirectRateLimiter,
    seen: Mutex<HashMap<Vec<u8>, u8>>,
}

impl Default for Recogniser {
    fn default() -> Self {
        let quick = RateLimiter::direct(Quota::per_second(QUICK_PER_SECOND));
        Self { remembered: Mutex::default(), quick, seen: Mutex::default() }
    }
}

impl Recogniser {
    /// The cause, if the request is recognised. It takes a bounded time: a few signatures for each
    /// cause that is remembered, and for a few requests a second some hundred.
    pub fn recognise(&self, refused: &Refused) -> Option<String> {
        let cause = match may_be_own(refused)? {
            Own::Fits => AS_IT_IS.to_owned(),
            Own::May(refusal) => {
                let fitting = self.fitting(refused, refusal)?;
                Cause::Fits(fitting).to_string()
            }
        };
        self.is_no_replay(refused).then_some(cause)
    }

    /// Remembers a cause that was found by a full search.
    pub fn learn(&self, cause: &Cause) {
        if let Cause::Fits(fitting) = cause {
            self.remember(fitting.clone());
        }
    }

    /// Whether a request whose cause was found has not been replayed too often.
    pub fn is_no_replay(&self, refused: &Refused) -> bool {
        let signature = refused.request.headers.get(SIGNATURE_HEADER).unwrap_or_default().to_vec();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= SIGNATURES_REMEMBERED_MAX {
            seen.clear();
        }
        let times = seen.entry(signature).or_default();
        *times = times.saturating_add(1);
        *times <= SAME_SIGNATURE_MAX
    }

    fn fitting(&self, refused: &Refused, refusal: Refusal) -> Option<Fitting> {
        let remembered = self.remembered().clone();
        let found =
            with_case(&refused.request, refusal, &refused.accepts(), |case, configured| {
                let again = remembered.into_iter().find(|fitting| again(case, configured, fitting));
                again.or_else(|| self.quick.check().ok().and_then(|()| quick(case, configured)))
            })?;
        self.remember(found.clone());
        Some(found)
    }

    /// The one that helped last comes first.
    fn remember(&self, fitting: Fitting) {
        let mut remembered = self.remembered();
        if remembered.first() == Some(&fitting) {
            return;
        }
        remembered.retain(|other| *other != fitting);
        remembered.insert(0, fitting);
        remembered.truncate(REMEMBERED_MAX);
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Vec<Fitting>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of a request before any edit is tried.
enum Own {
    /// Its signature fits: it was rejected for something else.
    Fits,
    /// It names a configured account, or none, and its signature does not fit.
    May(Refusal),
}

/// `None` if no edit can make it an account's own with the keys that are configured.
fn may_be_own(refused: &Refused) -> Option<Own> {
    let request = &refused.request;
    let refusal = match refused.rejection {
        _ if !request.whole => return None,
        Rejection::Signature(refusal) => refusal,
        _ => match signed(request, &refused.accounts, &refused.public_urls) {
            Ok(_) => return Some(Own::Fits),
            Err(refusal) => refusal,
        },
    };
    match refusal {
        Refusal::Mismatch
        | Refusal::NotBase64
        | Refusal::BodyHashMissing
        | Refusal::BodyHashDiffers => Some(Own::May(refusal)),
        Refusal::Missing
        | Refusal::UnknownAccount
        | Refusal::ContradictingAccounts
        | Refusal::UnknownAlgorithm
        | Refusal::UnknownSharedKey => None,
    }
}
