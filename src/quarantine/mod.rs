//! Quarantine of requests that the callback listener rejected: stored separately and bounded.
//!
//! Once the configuration is fixed they are checked again, and appended if the listener would accept
//! them now.

pub mod candidate;
pub mod metrics;
mod queue;
pub mod recheck;
mod recognise;
pub mod recorder;
pub mod rejection;

use std::fmt;

use crate::domain::event::Headers;
use crate::domain::media_type::media_type;
use crate::domain::{BodyKind, NewEvent, Source};
use crate::store::quarantine::RefusedRequest;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback::ParsedBody;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::diagnosis::{Configuration, Diagnosis, RejectedRequest, diagnose};
use crate::twilio::headers::{is_event_header, is_proxy_header, without_addresses};
use crate::twilio::signature::{
    BaseUrl, InvalidReason, SETTINGS_HEADER, SIGNATURE_HEADER, Signed, Verdict, verify,
};

/// Whether a refused request is kept with this header: those of an event, and those in which proxies
/// say which URL was called. No event has the latter.
pub fn is_kept_header(name: &str) -> bool {
    is_event_header(name) || is_proxy_header(name)
}

/// The headers that a refused request is kept with, by their names in lower case. None has an address
/// that the request came by.
pub fn kept_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Headers {
    let kept = headers.filter(|(name, _)| is_kept_header(name));
    Headers::new(
        kept.map(|(name, value)| (name.to_owned(), without_addresses(name, value).into_owned())),
    )
}

/// What a server takes: the keys that sign, the URLs that are signed, and the paths they are sent to.
#[derive(Debug, Clone, Copy)]
pub struct ListenerSettings<'a> {
    pub accounts: &'a Accounts,
    pub public_urls: &'a [BaseUrl],
    pub callback_paths: &'a [CallbackPath],
}

/// What a kept request comes to with what is configured now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The event that it becomes.
    Valid(Box<NewEvent>),
    /// Whatever its signature comes to, the listener would not take it, for this reason.
    NotTaken(NotTaken),
    /// Its signature does not fit.
    Refused(InvalidReason, Diagnosis),
}

/// Why the listener would still not take a request, apart from its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// The body is not kept whole.
    Cut,
    /// Its path is no callback path; the ones that are.
    Path {
        path: String,
        configured: Vec<String>,
    },
    Method(String),
    MediaType(String),
}

impl NotTaken {
    /// The word for it in JSON; the same as the listener's reason for the rejection.
    pub fn name(&self) -> &'static str {
        match self {
            NotTaken::Cut => "body_cut",
            NotTaken::Path { .. } => "path",
            NotTaken::Method(_) => "method",
            NotTaken::MediaType(_) => "media_type",
        }
    }
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotTaken::Cut => f.write_str("its body was not kept whole, so it cannot be verified"),
            NotTaken::Path { path, configured } => write!(
                f,
                "`{path}` is no callback path; configured: {} (--callback-path)",
                configured.join(", ")
            ),
            NotTaken::Method(method) => {
                write!(f, "its method is {method}; callbacks are sent with POST")
            }
            NotTaken::MediaType(media_type) => write!(
                f,
                "its Content-Type `{media_type}` is neither application/x-www-form-urlencoded nor JSON"
            ),
        }
    }
}

/// Checks a request as the callback listener would, and looks for the cause if its signature does
/// not fit.
pub fn check(request: &RefusedRequest, listener: &ListenerSettings<'_>) -> CheckOutcome {
    if let Some(reason) = not_taken(request, listener.callback_paths) {
        return CheckOutcome::NotTaken(reason);
    }
    match signed(request, listener.accounts, listener.public_urls) {
        Ok(event) => CheckOutcome::Valid(Box::new(event)),
        Err(refusal) => CheckOutcome::Refused(refusal, cause_of(request, refusal, listener)),
    }
}

/// The event that a request becomes, if the callback listener would take it now. A target that HTTP
/// does not allow, or a form that is longer than the listener reads, is no obstacle: the bytes are
/// here, and either they are signed exactly as they are or not.
pub fn verified(request: &RefusedRequest, listener: &ListenerSettings<'_>) -> Option<NewEvent> {
    if not_taken(request, listener.callback_paths).is_some() {
        return None;
    }
    signed(request, listener.accounts, listener.public_urls).ok()
}

/// Why the listener would reject a request with any signature; `None` if its signature decides.
fn not_taken(request: &RefusedRequest, callback_paths: &[CallbackPath]) -> Option<NotTaken> {
    let path = request.target.split('?').next().unwrap_or_default();
    if !request.whole {
        return Some(NotTaken::Cut);
    }
    if !callback_paths.iter().any(|configured| configured.matches(path)) {
        let configured = callback_paths.iter().map(CallbackPath::to_string).collect();
        return Some(NotTaken::Path { path: path.to_owned(), configured });
    }
    if request.method != "POST" {
        return Some(NotTaken::Method(request.method.clone()));
    }
    let content_type = request.headers.get("content-type");
    let is_read = BodyKind::from_content_type(content_type).is_some();
    let media_type = || media_type(content_type.unwrap_or_default()).into_owned();
    (!is_read).then(|| NotTaken::MediaType(media_type()))
}

/// The event, if the signature fits over the request as it is, whatever its path.
fn signed(
    request: &RefusedRequest,
    accounts: &Accounts,
    public_urls: &[BaseUrl],
) -> Result<NewEvent, InvalidReason> {
    let urls: Vec<_> = public_urls.iter().flat_map(|base| base.with(&request.target)).collect();
    let signed = Signed {
        urls: &urls,
        body: &ParsedBody::parse(kind(request), &request.body),
        signature: request.headers.get(SIGNATURE_HEADER).unwrap_or_default(),
        settings: request.headers.get(SETTINGS_HEADER),
    };
    match verify(&signed, accounts) {
        Verdict::Invalid(refusal) => Err(refusal),
        Verdict::Valid { verified_by, url } => Ok(NewEvent {
            url: urls.into_iter().nth(url).unwrap_or_default(),
            verified_by: Some(verified_by),
            ..as_event(request, request.body.clone())
        }),
    }
}

/// The likely cause of a refusal.
pub fn cause_of(
    request: &RefusedRequest,
    refusal: InvalidReason,
    listener: &ListenerSettings<'_>,
) -> Diagnosis {
    with_rejected(request, refusal, listener, diagnose)
}

/// Calls `search` with a request as the search for causes takes it.
fn with_rejected<T>(
    request: &RefusedRequest,
    refusal: InvalidReason,
    &ListenerSettings { accounts, public_urls, callback_paths }: &ListenerSettings<'_>,
    search: impl FnOnce(&RejectedRequest<'_>, &Configuration<'_>) -> T,
) -> T {
    let headers: Vec<_> = request.headers.iter().collect();
    let rejected = RejectedRequest {
        reason: refusal,
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

/// How its body is read; what the listener reads in no way is read as a form.
fn kind(request: &RefusedRequest) -> BodyKind {
    BodyKind::from_content_type(request.headers.get("content-type")).unwrap_or(BodyKind::Form)
}

/// As it would have been received; which URL was signed, and by whom, is not known yet.
fn as_event(request: &RefusedRequest, body: Vec<u8>) -> NewEvent {
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
    }
}
