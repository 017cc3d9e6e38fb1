//! The handler of callbacks: reads and parses the body, verifies the signature, appends the event, and
//! only then responds. Requests that fail a check continue in [`rejection`](super::rejection).

use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use smallvec::{SmallVec, smallvec};
use uuid::Uuid;

use super::rejection::{ReceivedRequest, Rejected, read_body};
use super::state::CallbackState;
use crate::domain::event::Headers;
use crate::domain::media_type::media_type;
use crate::domain::{AccountSid, BodyKind, NewEvent, Source};
use crate::http::body::BudgetShare;
use crate::http::error::Problem;
use crate::store::new_salt;
use crate::store::writer::Events;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback::{ClaimedAccount, Content, ParsedBody, StatusWord};
use crate::twilio::event_stream::{RequestEvents, events_of_request};
use crate::twilio::headers::{LEDGER_IDS_HEADER, is_event_header};
use crate::twilio::json::batch;
use crate::twilio::signature::{
    InvalidReason, SETTINGS_HEADER, SIGNATURE_HEADER, Signed, Verdict, verify,
};

/// Twilio waits 15 s for a response to a callback, so a 503 has to be sent before that.
const DURABLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Event Streams waits 5 s for a response (<https://www.twilio.com/docs/events/webhook-quickstart>), and JSON may
/// be from there. Its body may have taken 2.5 s of them.
const DURABLE_TIMEOUT_JSON: Duration = Duration::from_secs(2);

/// A request with a valid signature.
struct SignedRequest {
    events: Events,
    /// What each of them reports.
    statuses: SmallVec<[StatusWord; 1]>,
    /// How long it may take until they are on disk.
    timeout: Duration,
    /// The memory budget of its body, until the events are on disk.
    _share: BudgetShare,
}

/// Responds with 200 and no body once the events of the request are on disk.
pub async fn receive(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<CallbackState>,
) -> Result<HttpResponse, Problem> {
    let request = read_and_verify(&request, payload.into_inner(), &state).await?;
    append(request, &state).await?;
    Ok(HttpResponse::Ok().content_type("text/plain").finish())
}

/// The request, if it can be read and its signature is valid. Anything else is recorded as rejected.
async fn read_and_verify(
    request: &HttpRequest,
    payload: Payload,
    state: &web::Data<CallbackState>,
) -> Result<SignedRequest, Problem> {
    let request = ReceivedRequest::new(request);
    match signed_request(&request, payload, state).await {
        Ok(signed) => Ok(signed),
        Err(rejected) => Err(rejected.record(&request, state).await),
    }
}

async fn signed_request(
    request: &ReceivedRequest,
    payload: Payload,
    state: &web::Data<CallbackState>,
) -> Result<SignedRequest, Rejected> {
    let headers = request.http.headers();
    if headers.get(LEDGER_IDS_HEADER).is_some_and(|ids| has_id(ids.as_bytes(), &state.ledger_id)) {
        return Err(Rejected::unread(Problem::Loop, payload, state));
    }
    let kind = match body_kind(headers) {
        Ok(kind) => kind,
        Err(problem) => return Err(Rejected::unread(problem, payload, state)),
    };
    let body = read_body(request, payload, kind, state).await?;
    let parsed = ParsedBody::parse(kind, &body.bytes);
    let urls = signed_urls(&request.http, state);
    let header = |name: &str| headers.get(name).map(|value| value.as_bytes());
    let signed = Signed {
        urls: &urls,
        body: &parsed,
        signature: header(SIGNATURE_HEADER).unwrap_or_default(),
        settings: header(SETTINGS_HEADER),
    };
    let accounts = state.accounts.load_full();
    let (verified_by, url) = match verify(&signed, &accounts) {
        Verdict::Valid { verified_by, url } => (verified_by, url),
        Verdict::Invalid(reason) => {
            if may_be_of_a_subaccount(reason, &parsed, &accounts) {
                state.subaccounts.by_callback();
            }
            return Err(Rejected::read(Problem::InvalidSignature(reason), Some(body), accounts));
        }
    };
    let status = parsed.status_word();
    let whole = NewEvent {
        event_id: Uuid::now_v7(),
        received_at: request.at,
        source: Source::Callback,
        method: request.http.method().to_string(),
        url: urls.get(url).cloned().unwrap_or_default(),
        headers: event_headers(headers),
        body: Vec::new(),
        verified_by: Some(verified_by),
        notes: Default::default(),
        salt: new_salt(),
    };
    let (events, statuses) = match kind {
        BodyKind::Form => (Events::One(NewEvent { body: body.bytes, ..whole }), smallvec![status]),
        BodyKind::Json => {
            let whole = NewEvent { body: body.bytes.clone(), ..whole };
            let mut fresh = || (Uuid::now_v7(), new_salt());
            let RequestEvents { events, not_split } =
                events_of_request(whole, &signed, &accounts, &mut fresh);
            if let Some(reason) = not_split {
                state.metrics.not_split(reason);
            }
            let word = |event: &NewEvent| ParsedBody::parse(kind, &event.body).status_word();
            let statuses = events.iter().map(word).collect();
            (Events::Many(events), statuses)
        }
    };
    let timeout = match kind {
        BodyKind::Form => DURABLE_TIMEOUT,
        BodyKind::Json => DURABLE_TIMEOUT_JSON,
    };
    Ok(SignedRequest { events, statuses, timeout, _share: body.share })
}

/// Appends the events, and waits until they are on disk.
async fn append(request: SignedRequest, state: &CallbackState) -> Result<(), Problem> {
    let SignedRequest { events, statuses, timeout, _share } = request;
    let begun = Instant::now();
    let problem = match tokio::time::timeout(timeout, state.writer.append(events)).await {
        Ok(Ok(_position)) => {
            statuses.iter().for_each(|status| state.metrics.stored(*status, begun.elapsed()));
            return Ok(());
        }
        Ok(Err(error)) => Problem::NotStored(error),
        Err(_) => Problem::NotDurableInTime,
    };
    statuses.iter().for_each(|status| state.metrics.not_stored(*status, &problem));
    state.rejection_log.write(problem.status_code().as_u16(), &problem.to_string());
    Err(problem)
}

/// True if one of the ids in this list is that of this ledger.
fn has_id(ids: &[u8], ledger_id: &str) -> bool {
    ids.split(|byte| *byte == b',').any(|id| id.trim_ascii() == ledger_id.as_bytes())
}

/// True if the callback may be valid with what Twilio knows: it is of an account that is not known, or of
/// a fetched subaccount, whose token may have been rotated.
fn may_be_of_a_subaccount(reason: InvalidReason, body: &ParsedBody<'_>, known: &Accounts) -> bool {
    if !matches!(reason, InvalidReason::UnknownAccount | InvalidReason::Mismatch) {
        return false;
    }
    let claimed = match (body.claimed_account(), &body.content) {
        (ClaimedAccount::Account(sid), _) => vec![sid],
        (ClaimedAccount::None, Content::Json(_)) => batch::accounts(body.bytes),
        (ClaimedAccount::None | ClaimedAccount::Contradicting, _) => return false,
    };
    let is_new = |sid: &AccountSid| {
        AccountSid::has_documented_form(sid.as_str()) && known.get(sid).is_none()
    };
    claimed.iter().any(|sid| is_new(sid) || known.subaccount(sid).is_some())
}

fn body_kind(headers: &HeaderMap) -> Result<BodyKind, Problem> {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    BodyKind::from_content_type(content_type).ok_or_else(|| {
        let media_type = media_type(content_type.unwrap_or_default());
        Problem::UnsupportedMediaType(media_type.into_owned())
    })
}

/// The URLs that Twilio may have signed for this request line. Host and X-Forwarded-* are ignored,
/// because anybody can send them.
fn signed_urls(request: &HttpRequest, state: &CallbackState) -> Vec<String> {
    let path_and_query = request.uri().path_and_query().map_or("/", |path| path.as_str());
    state.public_urls.iter().flat_map(|base| base.with(path_and_query)).collect()
}

fn event_headers(headers: &HeaderMap) -> Headers {
    let kept = headers.iter().filter(|(name, _)| is_event_header(name.as_str()));
    Headers::new(kept.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())))
}
