//! A rejected request together with the configuration that it was checked against, which may change
//! before the request is written.

use std::fmt;
use std::sync::Arc;

use super::rejection::Rejection;
use super::{ListenerSettings, cause_of, signed};
use crate::store::quarantine::QuarantinedRequest;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::diagnosis::Diagnosis;
use crate::twilio::signature::BaseUrl;

/// The cause reported for a request that was rejected although its signature is valid.
pub const AS_IT_IS: &str = "signed by the account, as it is";

/// A rejected request and the settings that it was checked against.
#[derive(Clone)]
pub struct Candidate {
    /// The request.
    pub request: Arc<QuarantinedRequest>,
    /// Why it was rejected.
    pub rejection: Rejection,
    /// The accounts with their keys.
    pub accounts: Arc<Accounts>,
    /// The public URLs that signatures are checked against.
    pub public_urls: Arc<[BaseUrl]>,
    /// The paths at which callbacks are received.
    pub callback_paths: Arc<[CallbackPath]>,
}

impl Candidate {
    /// The settings that it was checked against.
    pub fn listener(&self) -> ListenerSettings<'_> {
        ListenerSettings {
            accounts: &self.accounts,
            public_urls: &self.public_urls,
            callback_paths: &self.callback_paths,
        }
    }

    /// Its size in bytes, as counted against the limits of space and rate.
    pub fn bytes(&self) -> usize {
        let request = &self.request;
        let headers = request.headers.iter().map(|(name, value)| name.len() + value.len());
        request.target.len() + headers.sum::<usize>() + request.body.len()
    }

    /// The likely cause as text; see [`Candidate::find_cause`].
    pub fn cause(&self) -> Option<String> {
        self.find_cause().map(|cause| cause.to_string())
    }

    /// Searches for the likely cause, which takes up to a few milliseconds. `None` if the body is not
    /// stored completely, so that no signature can be checked.
    pub fn find_cause(&self) -> Option<Cause> {
        if !self.request.whole {
            return None;
        }
        let reason = match self.rejection {
            Rejection::Signature(reason) => reason,
            _ => match signed(&self.request, &self.accounts, &self.public_urls) {
                Ok(_) => return Some(Cause::ValidSignature),
                Err(reason) => reason,
            },
        };
        Some(Cause::Diagnosis(cause_of(&self.request, reason, &self.listener())))
    }
}

/// The likely cause of a rejection, found by a full search.
pub enum Cause {
    /// The signature is valid: only the path, or whatever else was rejected, has to be fixed.
    ValidSignature,
    /// The signature is invalid, for this cause.
    Diagnosis(Diagnosis),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::ValidSignature => f.write_str(AS_IT_IS),
            Cause::Diagnosis(cause) => cause.fmt(f),
        }
    }
}
