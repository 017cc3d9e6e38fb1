//! Requests that were refused for their signature: kept apart and bounded, looked at again once the
//! public URL or a token was put right, and appended where they verify then.

pub mod keeper;
pub mod measures;
pub mod recheck;

use crate::domain::event::Headers;
use crate::domain::{NewEvent, Source};
use crate::store::quarantine::RefusedRequest;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback::BodyKind;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::cause::{Case, Cause, Configured, cause};
use crate::twilio::headers::{is_event_header, is_proxy_header, without_addresses};
use crate::twilio::signature::{
    BaseUrl, Refusal, SETTINGS_HEADER, SIGNATURE_HEADER, Signed, Verdict, verify,
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

/// What a refused request's signature comes to with what is configured now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The event that it becomes.
    Valid(Box<NewEvent>),
    Refused(Refusal, Cause),
}

/// Checks a request as the callback listener would, and looks for the cause where it refuses it.
pub fn check(
    request: &RefusedRequest,
    accounts: &Accounts,
    public_urls: &[BaseUrl],
    callback_paths: &[CallbackPath],
) -> Checked {
    match verified(request, accounts, public_urls) {
        Ok(event) => Checked::Valid(Box::new(event)),
        Err(refusal) => {
            let cause = cause_of(request, refusal, accounts, public_urls, callback_paths);
            Checked::Refused(refusal, cause)
        }
    }
}

/// The event that a request becomes where it verifies.
pub fn verified(
    request: &RefusedRequest,
    accounts: &Accounts,
    public_urls: &[BaseUrl],
) -> Result<NewEvent, Refusal> {
    let urls: Vec<_> = public_urls.iter().flat_map(|base| base.with(&request.target)).collect();
    let event = as_event(request);
    let signed = Signed {
        urls: &urls,
        kind: kind(&event),
        body: &request.body,
        signature: request.headers.get(SIGNATURE_HEADER).unwrap_or_default(),
        settings: request.headers.get(SETTINGS_HEADER),
    };
    match verify(&signed, accounts) {
        Verdict::Invalid(refusal) => Err(refusal),
        Verdict::Valid { verified_by, url } => Ok(NewEvent {
            url: urls.into_iter().nth(url).unwrap_or_default(),
            verified_by: Some(verified_by),
            ..event
        }),
    }
}

/// The likely cause of a refusal.
pub fn cause_of(
    request: &RefusedRequest,
    refusal: Refusal,
    accounts: &Accounts,
    public_urls: &[BaseUrl],
    callback_paths: &[CallbackPath],
) -> Cause {
    let headers: Vec<_> = request.headers.iter().collect();
    let case = Case {
        refusal,
        target: &request.target,
        kind: kind(&as_event(request)),
        body: &request.body,
        signature: request.headers.get(SIGNATURE_HEADER).unwrap_or_default(),
        settings: request.headers.get(SETTINGS_HEADER),
        headers: &headers,
    };
    let configured =
        Configured { public_urls, further_urls: &[], callback_paths, accounts, keys: None };
    cause(&case, &configured)
}

/// The door has let in no other kind; what cannot be is read as a form.
fn kind(event: &NewEvent) -> BodyKind {
    BodyKind::of(event.media_type().as_deref()).unwrap_or(BodyKind::Form)
}

/// As it would have been received; which URL was signed, and by whom, is not known yet.
fn as_event(request: &RefusedRequest) -> NewEvent {
    let headers = request.headers.iter().filter(|(name, _)| is_event_header(name));
    NewEvent {
        event_id: request.id,
        received_at: request.received_at,
        source: Source::Callback,
        method: request.method.clone(),
        url: String::new(),
        headers: Headers::new(headers.map(|(name, value)| (name.to_owned(), value.to_vec()))),
        body: request.body.clone(),
        verified_by: None,
        notes: Default::default(),
    }
}
