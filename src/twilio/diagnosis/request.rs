//! The input of a diagnosis: a rejected request, and the configuration that rejected it.

use crate::domain::BodyKind;
use crate::twilio::accounts::{AccountKeys, Accounts};
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::{BaseUrl, InvalidReason};

/// A request whose signature was found invalid.
#[derive(Debug, Clone, Copy)]
pub struct RejectedRequest<'a> {
    /// Why the signature is invalid.
    pub reason: InvalidReason,
    /// Path and query as they stand on the request line.
    pub target: &'a str,
    /// The format of the body.
    pub kind: BodyKind,
    /// The body as received.
    pub body: &'a [u8],
    /// X-Twilio-Signature as received.
    pub signature: &'a [u8],
    /// X-Twilio-Webhooks-Signature-Settings as received.
    pub settings: Option<&'a [u8]>,
    /// The request's headers, with names in lower case. What proxies set in them is not trusted, only
    /// tried.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// The settings that decide whether a request is valid.
#[derive(Debug, Clone, Copy)]
pub struct Configuration<'a> {
    /// The URLs that the signature was checked against.
    pub public_urls: &'a [BaseUrl],
    /// Further URLs, which may have been meant instead.
    pub further_urls: &'a [BaseUrl],
    /// The paths at which callbacks are received.
    pub callback_paths: &'a [CallbackPath],
    /// The configured accounts with their keys.
    pub accounts: &'a Accounts,
    /// Keys that are used whatever account the body names, if any are given.
    pub keys: Option<&'a AccountKeys>,
}

impl<'a> RejectedRequest<'a> {
    /// The target's query; `None` if the target has no question mark.
    pub fn query(&self) -> Option<&'a str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}
