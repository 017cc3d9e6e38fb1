//! Verification of Twilio's signatures
//! (<https://www.twilio.com/docs/usage/security#validating-requests>).
//!
//! The URL is used byte for byte. Nothing here parses and reassembles a URL, because any normalisation
//! would invalidate the signature.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::accounts::{AccountKeys, Accounts, PRIMARY, SECONDARY, Secret, SharedKey, Token};
use super::callback::{ClaimedAccount, Content, ParsedBody};
use super::form::{BODY_HASH, Form};
use super::json::batch;
use crate::domain::hash::hex;

/// The header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// The header that names a shared key, in lower case.
pub const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";

/// A signature and the data that it should cover.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The URL that Twilio may have signed, in each of its forms; see [`BaseUrl`].
    pub urls: &'a [String],
    /// The body, parsed.
    pub body: &'a ParsedBody<'a>,
    /// X-Twilio-Signature as received.
    pub signature: &'a [u8],
    /// X-Twilio-Webhooks-Signature-Settings as received.
    pub settings: Option<&'a [u8]>,
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A key of the account signed one of the URLs and this body.
    Valid {
        /// `primary`, `secondary`, or the name of a further token or of a shared key.
        verified_by: String,
        /// The index of the URL that was signed.
        url: usize,
    },
    /// No configured key made the signature.
    Invalid(InvalidReason),
}

/// The reason a signature is invalid. Its text contains no key, no address, and nothing from the
/// request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidReason {
    /// There is no X-Twilio-Signature.
    Missing,
    /// X-Twilio-Signature is not base64.
    NotBase64,
    /// No key is configured for the account that the body names.
    UnknownAccount,
    /// The body names two accounts, so that no key can be chosen.
    ContradictingAccounts,
    /// X-Twilio-Webhooks-Signature-Settings names another algorithm.
    UnknownAlgorithm,
    /// X-Twilio-Webhooks-Signature-Settings names a key that is not configured.
    UnknownSharedKey,
    /// A JSON body without `bodySHA256` in the query.
    BodyHashMissing,
    /// `bodySHA256` in the query is the hash of another body.
    BodyHashDiffers,
    /// No key of the account gives this signature for any of the URLs.
    Mismatch,
}

impl InvalidReason {
    /// Every reason.
    pub const ALL: [InvalidReason; 9] = [
        InvalidReason::Missing,
        InvalidReason::NotBase64,
        InvalidReason::Mismatch,
        InvalidReason::UnknownAccount,
        InvalidReason::ContradictingAccounts,
        InvalidReason::UnknownAlgorithm,
        InvalidReason::UnknownSharedKey,
        InvalidReason::BodyHashMissing,
        InvalidReason::BodyHashDiffers,
    ];

    /// The name used in metrics and in the quarantine.
    pub fn name(self) -> &'static str {
        match self {
            InvalidReason::Missing => "signature_missing",
            InvalidReason::NotBase64 => "signature_not_base64",
            InvalidReason::Mismatch => "signature_wrong",
            InvalidReason::UnknownAccount => "account_unknown",
            InvalidReason::ContradictingAccounts => "accounts_contradict",
            InvalidReason::UnknownAlgorithm => "algorithm_unknown",
            InvalidReason::UnknownSharedKey => "shared_key_unknown",
            InvalidReason::BodyHashMissing => "body_hash_missing",
            InvalidReason::BodyHashDiffers => "body_hash_wrong",
        }
    }

    /// The reason with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for InvalidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidReason::Missing => "no X-Twilio-Signature",
            InvalidReason::NotBase64 => "X-Twilio-Signature is not base64",
            InvalidReason::UnknownAccount => "no token is configured for the body's AccountSid",
            InvalidReason::ContradictingAccounts => "the body names two different AccountSids",
            InvalidReason::UnknownAlgorithm => {
                "X-Twilio-Webhooks-Signature-Settings names an algorithm other than HMAC_SHA256"
            }
            InvalidReason::UnknownSharedKey => {
                "X-Twilio-Webhooks-Signature-Settings names a shared key that is not configured"
            }
            InvalidReason::BodyHashMissing => "a JSON body needs bodySHA256 in the URL's query",
            InvalidReason::BodyHashDiffers => {
                "bodySHA256 in the URL is not the SHA-256 of the body"
            }
            InvalidReason::Mismatch => {
                "the signature does not match any configured key for this URL and body"
            }
        })
    }
}

/// The signing method that the request names.
pub(super) enum Method<'a> {
    Token,
    SharedKey(&'a str),
    Unknown,
}

/// Checks a signature against the keys of the account that the body names.
pub fn verify(signed: &Signed<'_>, accounts: &Accounts) -> Verdict {
    let candidates: Vec<&AccountKeys> = match signed.body.claimed_account() {
        _ if signed.signature.is_empty() => return Verdict::Invalid(InvalidReason::Missing),
        ClaimedAccount::Contradicting => {
            return Verdict::Invalid(InvalidReason::ContradictingAccounts);
        }
        ClaimedAccount::None => of_no_account(signed.body, accounts),
        ClaimedAccount::Account(sid) => match (accounts.get(&sid), is_stream(signed.body)) {
            (Some(keys), false) => vec![keys],
            // The parent of the account may have signed it.
            (keys, true) => {
                let all: Vec<_> = keys.into_iter().chain(accounts.all()).collect();
                return match check(signed, &all) {
                    Err(InvalidReason::Mismatch) if keys.is_none() => {
                        Verdict::Invalid(InvalidReason::UnknownAccount)
                    }
                    checked => checked.unwrap_or_else(Verdict::Invalid),
                };
            }
            (None, false) => return Verdict::Invalid(InvalidReason::UnknownAccount),
        },
    };
    check(signed, &candidates).unwrap_or_else(Verdict::Invalid)
}

/// The keys that a body is tried with that names no account at its top: those of every configured account,
/// and for a batch of CloudEvents those of their accounts.
fn of_no_account<'a>(body: &ParsedBody<'_>, accounts: &'a Accounts) -> Vec<&'a AccountKeys> {
    let in_batch = match body.content {
        Content::Json(_) if batch::is_array(body.bytes) && accounts.has_subaccounts() => {
            batch::accounts(body.bytes)
        }
        _ => Vec::new(),
    };
    let of_batch = in_batch.iter().filter_map(|sid| Some(accounts.subaccount(sid)?.1));
    accounts.all().chain(of_batch).collect()
}

fn is_stream(body: &ParsedBody<'_>) -> bool {
    matches!(&body.content, Content::Json(object) if object.cloud_event().is_some())
}

/// Checks a signature against these keys, regardless of the account that the body names.
pub fn verify_with(signed: &Signed<'_>, candidates: &[&AccountKeys]) -> Verdict {
    check(signed, candidates).unwrap_or_else(Verdict::Invalid)
}

fn check(signed: &Signed<'_>, candidates: &[&AccountKeys]) -> Result<Verdict, InvalidReason> {
    if signed.signature.is_empty() {
        return Err(InvalidReason::Missing);
    }
    let mac = STANDARD.decode(signed.signature).map_err(|_| InvalidReason::NotBase64)?;
    let parameters = signed_parameters(signed)?;
    match method(signed.settings) {
        Method::Unknown => Err(InvalidReason::UnknownAlgorithm),
        Method::Token => first_that_fits(&tokens(candidates), signed.urls, &parameters, &mac),
        Method::SharedKey(name) => {
            first_that_fits(&shared_keys(candidates, name)?, signed.urls, &parameters, &mac)
        }
    }
}

/// The text that is signed after the URL: a form's parameters; empty for JSON, whose hash is in the URL.
///
/// A `bodySHA256` in the query is checked for any Content-Type. Otherwise the signature of a JSON
/// callback, which covers only its URL, would also be valid for a form without parameters.
fn signed_parameters(signed: &Signed<'_>) -> Result<Vec<u8>, InvalidReason> {
    let url = signed.urls.first().map_or("", String::as_str);
    let stated = body_hashes(url.as_bytes());
    if !stated.is_empty() && !all_are_of(&stated, signed.body.bytes) {
        return Err(InvalidReason::BodyHashDiffers);
    }
    match &signed.body.content {
        Content::Json(_) if stated.is_empty() => Err(InvalidReason::BodyHashMissing),
        Content::Json(_) => Ok(Vec::new()),
        Content::Form(form) => {
            let parameters = form.signed_text();
            match signed.body.claimed_account() == ClaimedAccount::None
                && moves_a_hash(url, &parameters, stated.len())
            {
                true => Err(InvalidReason::BodyHashDiffers),
                false => Ok(parameters),
            }
        }
    }
}

/// Every `bodySHA256` of a URL's query, decoded as Twilio's SDKs decode it.
fn body_hashes(url: &[u8]) -> Vec<Vec<u8>> {
    let Some(query) = memchr::memchr(b'?', url).map(|at| &url[at + 1..]) else { return Vec::new() };
    Form::parse(query).values(BODY_HASH).map(<[u8]>::to_vec).collect()
}

/// True if every stated hash is that of the body. Twilio writes one hash, in lower case.
fn all_are_of(stated: &[Vec<u8>], body: &[u8]) -> bool {
    let actual = hex(&Sha256::digest(body));
    stated.iter().all(|stated| subtle::ConstantTimeEq::ct_eq(&stated[..], actual.as_bytes()).into())
}

/// True if a form's parameters, appended to the URL, add a hash that its query lacks: the signature is
/// then that of a JSON callback whose query was moved into a form. This is only checked for forms that
/// name no account, so that it never applies to Twilio's own forms.
fn moves_a_hash(url: &str, parameters: &[u8], in_url: usize) -> bool {
    body_hashes(&[url.as_bytes(), parameters].concat()).len() > in_url
}

/// True if a URL's query has a `bodySHA256`.
pub(super) fn has_body_hash(url: &str) -> bool {
    !body_hashes(url.as_bytes()).is_empty()
}

pub(super) fn method(settings: Option<&[u8]>) -> Method<'_> {
    let Some(settings) = settings else { return Method::Token };
    let Ok(settings) = std::str::from_utf8(settings) else { return Method::Unknown };
    let value = |wanted: &str| {
        let parts = settings.split(',').filter_map(|part| part.split_once('='));
        let mut of_name = parts.filter(|(name, _)| name.trim() == wanted);
        of_name.next().map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    };
    match (value("algorithm"), value("key")) {
        (None, _) | (Some("HMAC_SHA1"), None) => Method::Token,
        (Some("HMAC_SHA256"), Some(name)) => Method::SharedKey(name),
        (Some(_), _) => Method::Unknown,
    }
}

/// The primary tokens first, then the secondary ones, then the others.
fn tokens<'a>(candidates: &[&'a AccountKeys]) -> Vec<(&'a str, &'a Token)> {
    let mut tokens: Vec<_> = candidates.iter().flat_map(|keys| keys.tokens()).collect();
    tokens.sort_by_key(|(name, _)| match *name {
        PRIMARY => 0,
        SECONDARY => 1,
        _ => 2,
    });
    tokens
}

/// The shared keys with this name. There is no fallback to a token.
fn shared_keys<'a>(
    candidates: &[&'a AccountKeys],
    name: &str,
) -> Result<Vec<(&'a str, &'a SharedKey)>, InvalidReason> {
    let named = candidates.iter().filter_map(|keys| keys.shared.get_key_value(name));
    let named: Vec<_> = named.map(|(name, key)| (name.as_str(), key)).collect();
    if named.is_empty() { Err(InvalidReason::UnknownSharedKey) } else { Ok(named) }
}

/// Tries each secret over each URL.
fn first_that_fits<M: Mac + KeyInit + Clone>(
    secrets: &[(&str, &Secret<M>)],
    urls: &[String],
    parameters: &[u8],
    mac: &[u8],
) -> Result<Verdict, InvalidReason> {
    for (name, secret) in secrets {
        let fits = |url: &String| secret.verifies(&[url.as_bytes(), parameters], mac);
        if let Some(url) = urls.iter().position(fits) {
            return Ok(Verdict::Valid { verified_by: (*name).to_owned(), url });
        }
    }
    Err(InvalidReason::Mismatch)
}

/// A public URL, to which path and query of a request are appended, in the two forms that may have been
/// signed: as given, and with the port added or dropped. Twilio keeps the port for messages; its SDKs
/// accept both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    forms: [String; 2],
}

impl BaseUrl {
    /// Finds the end of scheme, host and port without changing the text. `None` if it does not begin with
    /// `http://` or `https://` and a host.
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let default_port = match scheme.to_ascii_lowercase().as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let host_and_port = authority.rsplit('@').next().filter(|text| !text.is_empty())?;
        let authority_end = scheme.len() + "://".len() + authority.len();
        let (before, after) = url.split_at(authority_end);
        let toggled = match port(host_and_port) {
            Some(port) => format!("{}{after}", &before[..before.len() - port.len() - 1]),
            None => format!("{before}:{default_port}{after}"),
        };
        Some(Self { forms: [url.to_owned(), toggled] })
    }

    /// The URL as it was given.
    pub fn as_given(&self) -> &str {
        &self.forms[0]
    }

    /// Both forms, the given one first, each followed by this path and query.
    pub fn with(&self, path_and_query: &str) -> [String; 2] {
        self.forms.each_ref().map(|form| format!("{form}{path_and_query}"))
    }
}

/// The port's digits, if the authority ends with a colon and digits (an IPv6 literal has colons too).
pub(super) fn port(host_and_port: &str) -> Option<&str> {
    let (host, port) = host_and_port.rsplit_once(':')?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let whole_host = !host.contains('[') || host.ends_with(']');
    (digits && whole_host).then_some(port)
}
