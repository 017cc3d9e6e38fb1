//! A rejected request together with the configuration that it was checked against, which may change
//! before the request is written.

use std::fmt;
use std::sync::Arc;

use super::rejection::Rejection;
use super::{ListenerSettings, cause_of, signed};
use crate::store::quarantine::RefusedRequest;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::diagnosis::Diagnosis;
use crate::twilio::signature::BaseUrl;

/// The cause of a request that was rejected although its signature fits.
pub const AS_IT_IS: &str = "signed by the account, as it is";

/// A request that was rejected, and what it was checked against: keys may be exchanged meanwhile.
#[derive(Clone)]
pub struct Candidate {
    pub request: Arc<RefusedRequest>,
    pub rejection: Rejection,
    pub accounts: Arc<Accounts>,
    pub public_urls: Arc<[BaseUrl]>,
    pub callback_paths: Arc<[CallbackPath]>,
}

impl Candidate {
    /// What it was checked against.
    pub fn listener(&self) -> ListenerSettings<'_> {
        ListenerSettings {
            accounts: &self.accounts,
            public_urls: &self.public_urls,
            callback_paths: &self.callback_paths,
        }
    }

    /// How much of the space and the rate it takes.
    pub fn bytes(&self) -> usize {
        let request = &self.request;
        let headers = request.headers.iter().map(|(name, value)| name.len() + value.len());
        request.target.len() + headers.sum::<usize>() + request.body.len()
    }

    /// The likely cause as text; see [`Candidate::searched`].
    pub fn cause(&self) -> Option<String> {
        self.searched().map(|searched| searched.to_string())
    }

    /// Searches for the likely cause, which takes up to some milliseconds; `None` if the body is not
    /// kept whole, so that no signature can be checked.
    pub fn searched(&self) -> Option<Searched> {
        if !self.request.whole {
            return None;
        }
        let refusal = match self.rejection {
            Rejection::Signature(refusal) => refusal,
            _ => match signed(&self.request, &self.accounts, &self.public_urls) {
                Ok(_) => return Some(Searched::Fits),
                Err(refusal) => refusal,
            },
        };
        Some(Searched::Diagnosis(cause_of(&self.request, refusal, &self.listener())))
    }
}

/// What a full search came to.
pub enum Searched {
    /// The signature fits: only the path, or what else was rejected, has to be mended.
    Fits,
    Diagnosis(Diagnosis),
}

impl fmt::Display for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Searched::Fits => f.write_str(AS_IT_IS),
            Searched::Diagnosis(cause) => cause.fmt(f),
        }
    }
}
