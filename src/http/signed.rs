//! From a request to an event: a bounded body, and a signature over exactly what arrived.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::{FromRequest, HttpRequest, ResponseError, web};
use futures_util::StreamExt;
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::Problem;
use super::state::Receiving;
use crate::domain::event::Headers;
use crate::domain::{NewEvent, Source, Timestamp};
use crate::quarantine;
use crate::quarantine::keeper::Refused;
use crate::store::quarantine::RefusedRequest;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback::BodyKind;
use crate::twilio::headers::is_event_header;
use crate::twilio::signature::{
    Refusal, SETTINGS_HEADER, SIGNATURE_HEADER, Signed, Verdict, verify,
};

/// Some hundred times what a callback has; Twilio documents no limit.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// How much is set aside for a body before it comes; a usual one fits. Whoever only announces a
/// long one shall not take memory by it.
const BODY_BYTES_USUAL: u64 = 4096;

/// How long a body may take: Twilio itself gives up after 15 s.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A callback whose signature was valid, as the event it becomes.
pub struct SignedCallback(pub NewEvent);

impl FromRequest for SignedCallback {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let state = request.app_data::<web::Data<Receiving>>().ok_or(Problem::Internal)?;
            let outcome = receive(&request, payload, state).await;
            outcome.inspect_err(|problem| {
                state.measures.refused(problem);
                // Of a refused signature more is told where the request is at hand.
                if !matches!(problem, Problem::Refused(_)) {
                    let status_code = problem.status_code().as_u16();
                    state.refusals.tell(status_code, &problem.reason_without_data());
                }
            })
        })
    }
}

async fn receive(
    request: &HttpRequest,
    payload: Payload,
    state: &Receiving,
) -> Result<SignedCallback, Problem> {
    let received_at = Timestamp::from(OffsetDateTime::now_utc());
    let kind = body_kind(request.headers())?;
    let body = whole_body(request.headers(), payload).await?;
    let urls = signed_urls(request, state);
    let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
    let signed = Signed {
        urls: &urls,
        kind,
        body: &body,
        signature: header(SIGNATURE_HEADER).unwrap_or_default(),
        settings: header(SETTINGS_HEADER),
    };
    let accounts = state.accounts.now();
    let (verified_by, url) = match verify(&signed, &accounts) {
        Verdict::Valid { verified_by, url } => (verified_by, url),
        Verdict::Invalid(refusal) => {
            return Err(refuse(request, received_at, body, (refusal, accounts), state));
        }
    };
    Ok(SignedCallback(NewEvent {
        event_id: Uuid::now_v7(),
        received_at,
        source: Source::Callback,
        method: request.method().to_string(),
        url: urls.into_iter().nth(url).unwrap_or_default(),
        headers: event_headers(request.headers()),
        body,
        verified_by: Some(verified_by),
        notes: Default::default(),
    }))
}

fn body_kind(headers: &HeaderMap) -> Result<BodyKind, Problem> {
    let value = headers.get("content-type").map(|value| String::from_utf8_lossy(value.as_bytes()));
    let media_type = value.as_deref().map(|value| value.split(';').next().unwrap_or_default());
    let media_type = media_type.map(|text| text.trim().to_ascii_lowercase());
    BodyKind::of(media_type.as_deref())
        .ok_or_else(|| Problem::UnsupportedMediaType(media_type.unwrap_or_default()))
}

/// A body within the bounds in bytes and time that are set here.
pub async fn whole_body(headers: &HeaderMap, payload: Payload) -> Result<Vec<u8>, Problem> {
    let body = tokio::time::timeout(BODY_TIMEOUT, read_body(headers, payload));
    body.await.map_err(|_| Problem::BodyTooSlow)?
}

async fn read_body(headers: &HeaderMap, mut payload: Payload) -> Result<Vec<u8>, Problem> {
    let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if stated.is_some_and(|bytes: u64| bytes > BODY_BYTES_MAX as u64) {
        return Err(Problem::BodyTooLarge { limit: BODY_BYTES_MAX });
    }
    let mut body = Vec::with_capacity(stated.unwrap_or(1024).min(BODY_BYTES_USUAL) as usize);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::BodyBroken)?;
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Problem::BodyTooLarge { limit: BODY_BYTES_MAX });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Every URL that Twilio may have signed for this request line. Host and X-Forwarded-* play no
/// part: anybody can send them.
fn signed_urls(request: &HttpRequest, state: &Receiving) -> Vec<String> {
    let path_and_query = request.uri().path_and_query().map_or("/", |path| path.as_str());
    state.public_urls.iter().flat_map(|base| base.with(path_and_query)).collect()
}

/// Keeps the request apart and tells of it, neither of which the answer waits for, nor is done for
/// each of a flood.
fn refuse(
    request: &HttpRequest,
    received_at: Timestamp,
    body: Vec<u8>,
    (refusal, accounts): (Refusal, Arc<Accounts>),
    state: &Receiving,
) -> Problem {
    let problem = Problem::Refused(refusal);
    let target = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let bytes = target.len() + kept_header_bytes(request.headers()) + body.len();
    let admitting = state.keeper.as_ref().filter(|keeper| keeper.admits(bytes));
    let line = state.refusals.line();
    if admitting.is_none() && line.is_none() {
        return problem;
    }
    let request = Arc::new(RefusedRequest {
        id: Uuid::now_v7(),
        received_at,
        method: request.method().to_string(),
        target: target.to_owned(),
        headers: quarantine::kept_headers(
            request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())),
        ),
        body,
        reason: refusal.name().to_owned(),
        cause: None,
    });
    let (public_urls, callback_paths) =
        (Arc::clone(&state.public_urls), Arc::clone(&state.callback_paths));
    let refused = Refused { request, refusal, accounts, public_urls, callback_paths };
    if let Some(keeper) = admitting {
        keeper.keep(refused.clone());
    }
    if let Some(line) = line {
        let status_code = problem.status_code().as_u16();
        // Looking for the cause takes up to some milliseconds.
        actix_web::rt::task::spawn_blocking(move || {
            line.write(status_code, &refusal.to_string(), Some(&refused.cause()));
        });
    }
    problem
}

fn kept_header_bytes(headers: &HeaderMap) -> usize {
    let kept = headers.iter().filter(|(name, _)| quarantine::is_kept_header(name.as_str()));
    kept.map(|(name, value)| name.as_str().len() + value.len()).sum()
}

fn event_headers(headers: &HeaderMap) -> Headers {
    let kept = headers.iter().filter(|(name, _)| is_event_header(name.as_str()));
    Headers::new(kept.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())))
}
