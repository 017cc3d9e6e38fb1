//! The quarantine: requests that the callback listener rejected, stored in a separate, bounded file.
//!
//! Once the configuration is fixed, a recheck appends those that the listener would accept now.

pub mod candidate;
pub mod metrics;
mod queue;
pub mod recheck;
mod recognise;
pub mod recorder;
pub mod rejection;

use std::fmt;

use uuid::Uuid;

use crate::domain::event::Headers;
use crate::domain::media_type::media_type;
use crate::domain::{BodyKind, NewEvent, Source};
use crate::store::new_salt;
use crate::store::quarantine::QuarantinedRequest;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback::ParsedBody;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::diagnosis::{self, Configuration, Diagnosis, RejectedRequest, Remedy, diagnose};
use crate::twilio::event_stream::events_of_request;
use crate::twilio::headers::{is_event_header, is_proxy_header, without_addresses};
use crate::twilio::signature::{
    BaseUrl, InvalidReason, SETTINGS_HEADER, SIGNATURE_HEADER, Signed, Verdict, verify,
};

/// True if a rejected request is stored with this header: one of an event's headers, or one in which
/// a proxy names the URL that was called. Events never have the latter.
pub fn is_kept_header(name: &str) -> bool {
    is_event_header(name) || is_proxy_header(name)
}

/// The headers that a rejected request is stored with, from headers with lower-case names. The network
/// addresses in them are removed.
pub fn kept_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Headers {
    let kept = headers.filter(|(name, _)| is_kept_header(name));
    Headers::new(
        kept.map(|(name, value)| (name.to_owned(), without_addresses(name, value).into_owned())),
    )
}

/// The settings that decide what the listener accepts: signing keys, signed URLs and callback paths.
#[derive(Debug, Clone, Copy)]
pub struct ListenerSettings<'a> {
    /// The accounts with their keys.
    pub accounts: &'a Accounts,
    /// The public URLs that signatures are checked against.
    pub public_urls: &'a [BaseUrl],
    /// The paths at which callbacks are received.
    pub callback_paths: &'a [CallbackPath],
}

/// The result of checking a stored request against the current configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It is valid; this is its event.
    Valid(Vec<NewEvent>),
    /// The listener would reject it for this reason, even with a valid signature.
    Unacceptable(Unacceptable),
    /// Its signature is invalid.
    InvalidSignature(InvalidReason, Diagnosis),
}

/// The reason, other than its signature, that the listener would still reject a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unacceptable {
    /// The stored body is incomplete.
    Cut,
    /// Its path is not one of the configured callback paths.
    Path {
        /// The path of the request.
        path: String,
        /// The configured callback paths.
        configured: Vec<String>,
    },
    /// Its method is not POST.
    Method(String),
    /// Its body is neither a form nor JSON.
    MediaType(String),
}

impl Unacceptable {
    /// The name used in JSON; the same as the listener's reason for the rejection.
    pub fn name(&self) -> &'static str {
        match self {
            Unacceptable::Cut => "body_cut",
            Unacceptable::Path { .. } => "path",
            Unacceptable::Method(_) => "method",
            Unacceptable::MediaType(_) => "media_type",
        }
    }
}

impl fmt::Display for Unacceptable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unacceptable::Cut => {
                f.write_str("the stored body is incomplete, so the signature cannot be verified")
            }
            Unacceptable::Path { path, configured } => write!(
                f,
                "`{path}` is not a callback path; configured: {} (--callback-path)",
                configured.join(", ")
            ),
            Unacceptable::Method(method) => {
                write!(f, "its method is {method}; callbacks are sent with POST")
            }
            Unacceptable::MediaType(media_type) => write!(
                f,
                "its Content-Type `{media_type}` is neither application/x-www-form-urlencoded nor JSON"
            ),
        }
    }
}

/// Checks a request as the callback listener would, and searches for the cause if its signature is
/// invalid.
pub fn check(request: &QuarantinedRequest, listener: &ListenerSettings<'_>) -> CheckOutcome {
    if let Some(reason) = unacceptable(request, listener.callback_paths) {
        return CheckOutcome::Unacceptable(reason);
    }
    match signed(request, listener.accounts, listener.public_urls) {
        Ok(events) => CheckOutcome::Valid(events),
        Err(reason) => CheckOutcome::InvalidSignature(reason, cause_of(request, reason, listener)),
    }
}

/// The events of a request, if the callback listener would accept it now. A target that HTTP does not
/// allow, or a form longer than the listener reads, does not matter here: the bytes are stored, and the
/// signature is checked over exactly these bytes.
pub fn verified(
    request: &QuarantinedRequest,
    listener: &ListenerSettings<'_>,
) -> Option<Vec<NewEvent>> {
    if unacceptable(request, listener.callback_paths).is_some() {
        return None;
    }
    signed(request, listener.accounts, listener.public_urls).ok()
}

/// Why the listener would reject a request with any signature; `None` if only its signature matters.
fn unacceptable(
    request: &QuarantinedRequest,
    callback_paths: &[CallbackPath],
) -> Option<Unacceptable> {
    let path = request.target.split('?').next().unwrap_or_default();
    if !request.whole {
        return Some(Unacceptable::Cut);
    }
    if !callback_paths.iter().any(|configured| configured.matches(path)) {
        let configured = callback_paths.iter().map(CallbackPath::to_string).collect();
        return Some(Unacceptable::Path { path: path.to_owned(), configured });
    }
    if request.method != "POST" {
        return Some(Unacceptable::Method(request.method.clone()));
    }
    let content_type = request.headers.get("content-type");
    let is_read = BodyKind::from_content_type(content_type).is_some();
    let media_type = || media_type(content_type.unwrap_or_default()).into_owned();
    (!is_read).then(|| Unacceptable::MediaType(media_type()))
}

/// The events, if the signature is valid over the request as it is, for any path.
fn signed(
    request: &QuarantinedRequest,
    accounts: &Accounts,
    public_urls: &[BaseUrl],
) -> Result<Vec<NewEvent>, InvalidReason> {
    let urls: Vec<_> = public_urls.iter().flat_map(|base| base.with(&request.target)).collect();
    let signed = Signed {
        urls: &urls,
        body: &ParsedBody::parse(kind(request), &request.body),
        signature: request.headers.get(SIGNATURE_HEADER).unwrap_or_default(),
        settings: request.headers.get(SETTINGS_HEADER),
    };
    match verify(&signed, accounts) {
        Verdict::Invalid(reason) => Err(reason),
        Verdict::Valid { verified_by, url } => {
            let event = NewEvent {
                url: urls.get(url).cloned().unwrap_or_default(),
                verified_by: Some(verified_by),
                ..as_event(request, request.body.clone())
            };
            let mut fresh = || (Uuid::now_v7(), new_salt());
            Ok(events_of_request(event, &signed, accounts, &mut fresh).events)
        }
    }
}

/// The likely cause of an invalid signature.
pub fn cause_of(
    request: &QuarantinedRequest,
    reason: InvalidReason,
    listener: &ListenerSettings<'_>,
) -> Diagnosis {
    with_rejected(request, reason, listener, diagnose)
}

/// The public URL that makes the signature match, if the remedy changes only scheme, host or port.
pub fn corrected_public_url(
    request: &QuarantinedRequest,
    reason: InvalidReason,
    remedy: &Remedy,
    listener: &ListenerSettings<'_>,
) -> Option<String> {
    with_rejected(request, reason, listener, |rejected, configured| {
        diagnosis::corrected_public_url(rejected, configured, remedy)
    })
}

/// Calls `search` with the input of a diagnosis.
fn with_rejected<T>(
    request: &QuarantinedRequest,
    reason: InvalidReason,
    &ListenerSettings { accounts, public_urls, callback_paths }: &ListenerSettings<'_>,
    search: impl FnOnce(&RejectedRequest<'_>, &Configuration<'_>) -> T,
) -> T {
    let headers: Vec<_> = request.headers.iter().collect();
    let rejected = RejectedRequest {
        reason,
        target: &request.target,
        kind: kind(request),
        body: &request.body,
        signature: request.headers.get(SIGNATURE_HEADER).unwrap_or_default(),
        settings: request.headers.get(SETTINGS_HEADER),
        headers: &headers,
    };
    let configured =
        Configuration { public_urls, further_urls: &[], callback_paths, accounts, keys: None };
    search(&rejected, &configured)
}

/// The kind of its body; a form if the media type is one that the listener does not accept.
fn kind(request: &QuarantinedRequest) -> BodyKind {
    BodyKind::from_content_type(request.headers.get("content-type")).unwrap_or(BodyKind::Form)
}

/// The event as it would have been received, without its URL and the name of the key.
fn as_event(request: &QuarantinedRequest, body: Vec<u8>) -> NewEvent {
    let headers = request.headers.iter().filter(|(name, _)| is_event_header(name));
    NewEvent {
        event_id: request.id,
        received_at: request.received_at,
        source: Source::Callback,
        method: request.method.clone(),
        url: String::new(),
        headers: Headers::new(headers.map(|(name, value)| (name.to_owned(), value.to_vec()))),
        body,
        verified_by: None,
        notes: Default::default(),
        salt: new_salt(),
    }
}
