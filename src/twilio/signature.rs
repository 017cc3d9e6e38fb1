//! Twilio's signature: who sent these bytes, to which URL
//! (<https://www.twilio.com/docs/usage/security#validating-requests>).
//!
//! The URL is used byte for byte. Nothing here parses a URL and puts it together again:
//! whatever a parser would normalise is a signature that no longer fits.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::accounts::{Accounts, Keys, PRIMARY, SECONDARY, Secret, SharedKey, Token};
use super::callback::{Body, BodyKind, Claim};
use crate::domain::digest::hex;

/// The header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// The header that names a shared key, in lower case.
pub const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";

/// What a signature is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The URL that Twilio may have signed, in each of its forms; see [`BaseUrl`].
    pub urls: &'a [String],
    pub kind: BodyKind,
    pub body: &'a [u8],
    /// X-Twilio-Signature as it came.
    pub signature: &'a [u8],
    /// X-Twilio-Webhooks-Signature-Settings as it came.
    pub settings: Option<&'a [u8]>,
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Signed by the account, over this URL and this body.
    Valid {
        /// `primary`, `secondary`, or the name of a further token or of a shared key.
        verified_by: String,
        /// Which of the URLs was signed.
        url: usize,
    },
    Invalid(Refusal),
}

/// Why a signature was refused. None of the texts holds a key, an address, or anything sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Missing,
    NotBase64,
    UnknownAccount,
    ContradictingAccounts,
    UnknownAlgorithm,
    UnknownSharedKey,
    BodyHashMissing,
    BodyHashDiffers,
    Mismatch,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Refusal; 9] = [
        Refusal::Missing,
        Refusal::NotBase64,
        Refusal::Mismatch,
        Refusal::UnknownAccount,
        Refusal::ContradictingAccounts,
        Refusal::UnknownAlgorithm,
        Refusal::UnknownSharedKey,
        Refusal::BodyHashMissing,
        Refusal::BodyHashDiffers,
    ];

    /// The word for it in metrics and in the quarantine.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::Missing => "signature_missing",
            Refusal::NotBase64 => "signature_not_base64",
            Refusal::Mismatch => "signature_wrong",
            Refusal::UnknownAccount => "account_unknown",
            Refusal::ContradictingAccounts => "accounts_contradict",
            Refusal::UnknownAlgorithm => "algorithm_unknown",
            Refusal::UnknownSharedKey => "shared_key_unknown",
            Refusal::BodyHashMissing => "body_hash_missing",
            Refusal::BodyHashDiffers => "body_hash_wrong",
        }
    }

    /// The refusal with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.name() == name)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Missing => "no X-Twilio-Signature",
            Refusal::NotBase64 => "X-Twilio-Signature is not base64",
            Refusal::UnknownAccount => "no token is configured for the body's AccountSid",
            Refusal::ContradictingAccounts => "the body names two different AccountSids",
            Refusal::UnknownAlgorithm => {
                "X-Twilio-Webhooks-Signature-Settings names an algorithm other than HMAC_SHA256"
            }
            Refusal::UnknownSharedKey => {
                "X-Twilio-Webhooks-Signature-Settings names a shared key that is not configured"
            }
            Refusal::BodyHashMissing => "a JSON body needs bodySHA256 in the URL's query",
            Refusal::BodyHashDiffers => "bodySHA256 in the URL is not the SHA-256 of the body",
            Refusal::Mismatch => {
                "the signature fits none of the configured keys over this URL and body"
            }
        })
    }
}

/// How the request says it was signed.
pub(super) enum Method<'a> {
    Token,
    SharedKey(&'a str),
    Unknown,
}

/// Checks a signature against the keys of the account that the body names.
pub fn verify(signed: &Signed<'_>, accounts: &Accounts) -> Verdict {
    let body = Body::parse(signed.kind, signed.body);
    let candidates: Vec<&Keys> = match body.claim() {
        _ if signed.signature.is_empty() => return Verdict::Invalid(Refusal::Missing),
        Claim::Contradicting => return Verdict::Invalid(Refusal::ContradictingAccounts),
        Claim::None => accounts.all().collect(),
        Claim::Account(sid) => match accounts.get(&sid) {
            Some(keys) => vec![keys],
            None => return Verdict::Invalid(Refusal::UnknownAccount),
        },
    };
    check(signed, &body, &candidates).unwrap_or_else(Verdict::Invalid)
}

/// Checks a signature against these keys, whatever account the body names.
pub fn verify_with(signed: &Signed<'_>, candidates: &[&Keys]) -> Verdict {
    let body = Body::parse(signed.kind, signed.body);
    check(signed, &body, candidates).unwrap_or_else(Verdict::Invalid)
}

fn check(signed: &Signed<'_>, body: &Body<'_>, candidates: &[&Keys]) -> Result<Verdict, Refusal> {
    if signed.signature.is_empty() {
        return Err(Refusal::Missing);
    }
    let mac = STANDARD.decode(signed.signature).map_err(|_| Refusal::NotBase64)?;
    let parameters = signed_parameters(signed, body)?;
    match method(signed.settings) {
        Method::Unknown => Err(Refusal::UnknownAlgorithm),
        Method::Token => first_that_fits(&tokens(candidates), signed.urls, &parameters, &mac),
        Method::SharedKey(name) => {
            first_that_fits(&shared_keys(candidates, name)?, signed.urls, &parameters, &mac)
        }
    }
}

/// What is signed after the URL: a form's parameters; of JSON nothing, its hash is in the URL.
fn signed_parameters(signed: &Signed<'_>, body: &Body<'_>) -> Result<Vec<u8>, Refusal> {
    match body {
        Body::Form(form) => Ok(form.signed_text()),
        Body::Json(_) => {
            let url = signed.urls.first().ok_or(Refusal::BodyHashMissing)?;
            let stated = body_hash(url).ok_or(Refusal::BodyHashMissing)?;
            let actual = hex(&Sha256::digest(signed.body));
            let same = subtle::ConstantTimeEq::ct_eq(stated.as_bytes(), actual.as_bytes());
            bool::from(same).then(Vec::new).ok_or(Refusal::BodyHashDiffers)
        }
    }
}

pub(super) fn body_hash(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("bodySHA256="))
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
fn tokens<'a>(candidates: &[&'a Keys]) -> Vec<(&'a str, &'a Token)> {
    let mut tokens: Vec<_> = candidates.iter().flat_map(|keys| keys.tokens()).collect();
    tokens.sort_by_key(|(name, _)| match *name {
        PRIMARY => 0,
        SECONDARY => 1,
        _ => 2,
    });
    tokens
}

/// Exactly the named key decides: no falling back to a token.
fn shared_keys<'a>(
    candidates: &[&'a Keys],
    name: &str,
) -> Result<Vec<(&'a str, &'a SharedKey)>, Refusal> {
    let named = candidates.iter().filter_map(|keys| keys.shared.get_key_value(name));
    let named: Vec<_> = named.map(|(name, key)| (name.as_str(), key)).collect();
    if named.is_empty() { Err(Refusal::UnknownSharedKey) } else { Ok(named) }
}

/// Tries each secret over each URL.
fn first_that_fits<M: Mac + KeyInit + Clone>(
    secrets: &[(&str, &Secret<M>)],
    urls: &[String],
    parameters: &[u8],
    mac: &[u8],
) -> Result<Verdict, Refusal> {
    for (name, secret) in secrets {
        let fits = |url: &String| secret.verifies(&[url.as_bytes(), parameters], mac);
        if let Some(url) = urls.iter().position(fits) {
            return Ok(Verdict::Valid { verified_by: (*name).to_owned(), url });
        }
    }
    Err(Refusal::Mismatch)
}

/// A URL up to where its path goes on, in the two forms that may have been signed:
/// as given, and with the port added or dropped. Twilio keeps the port for messages,
/// its official SDKs accept both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    forms: [String; 2],
}

impl BaseUrl {
    /// Reads where scheme, host and port end; the text itself is not changed.
    /// Nothing where there is no `http://` or `https://` followed by a host.
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

    /// Both forms, the given one first, each with this path and query behind it.
    pub fn with(&self, path_and_query: &str) -> [String; 2] {
        self.forms.each_ref().map(|form| format!("{form}{path_and_query}"))
    }
}

/// The port's digits, where a colon and digits end the authority (an IPv6 literal has colons too).
pub(super) fn port(host_and_port: &str) -> Option<&str> {
    let (host, port) = host_and_port.rsplit_once(':')?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let whole_host = !host.contains('[') || host.ends_with(']');
    (digits && whole_host).then_some(port)
}
