//! The handling of a rejected callback: it is counted and logged, and a POST that is signed, or was
//! rejected for its signature, is offered to the quarantine. The response waits for the rest of the body
//! and for a ranking of bounded cost, but not for anything to be written, so that a flood costs little.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{HttpMessage, HttpRequest, ResponseError, web};
use time::OffsetDateTime;
use uuid::Uuid;

use super::state::CallbackState;
use crate::domain::{BodyKind, Timestamp};
use crate::http::body::{self, Body, JSON_BYTES_MAX, bytes_max, time_max};
use crate::http::error::Problem;
use crate::quarantine;
use crate::quarantine::candidate::Candidate;
use crate::quarantine::rejection::Rejection;
use crate::store::quarantine::{QuarantinedRequest, Rank};
use crate::twilio::accounts::Accounts;
use crate::twilio::signature::SIGNATURE_HEADER;

/// The target as it was on the request line, if the HTTP library could not parse it unchanged.
pub struct OriginalTarget(pub String);

/// A request and the time at which its head was read.
pub struct ReceivedRequest {
    pub http: HttpRequest,
    pub at: Timestamp,
}

impl ReceivedRequest {
    /// A request whose head was read just now.
    pub fn new(request: &HttpRequest) -> Self {
        Self { http: request.clone(), at: Timestamp::from(OffsetDateTime::now_utc()) }
    }

    /// Whether it carries a signature, valid or not.
    pub fn is_signed(&self) -> bool {
        self.http.headers().contains_key(SIGNATURE_HEADER)
    }

    fn is_post(&self) -> bool {
        self.http.method() == "POST"
    }

    /// Path and query as they were on the request line.
    fn target(&self) -> String {
        match self.http.extensions().get::<OriginalTarget>() {
            Some(OriginalTarget(target)) => target.clone(),
            None => self.http.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        }
    }
}

/// A rejected callback and the reason.
pub struct Rejected {
    problem: Problem,
    /// The accounts that it was checked against.
    accounts: Arc<Accounts>,
    body: RejectedBody,
}

enum RejectedBody {
    Unread(Payload),
    /// `None` if it could not be read completely.
    Read(Option<Body>),
}

impl Rejected {
    /// Rejects a request because of its head.
    pub fn unread(problem: Problem, payload: Payload, state: &CallbackState) -> Self {
        Self { problem, accounts: state.accounts.load_full(), body: RejectedBody::Unread(payload) }
    }

    /// Rejects a request after its body was read, or could not be read.
    pub fn read(problem: Problem, body: Option<Body>, accounts: Arc<Accounts>) -> Self {
        Self { problem, accounts, body: RejectedBody::Read(body) }
    }

    /// Records the rejection and returns the response. The body of a signed request is still read, so
    /// that it can be quarantined completely.
    pub async fn record(self, request: &ReceivedRequest, state: &CallbackState) -> Problem {
        let body = match self.body {
            RejectedBody::Read(body) => body,
            RejectedBody::Unread(payload) if request.is_signed() && request.is_post() => {
                let headers = request.http.headers();
                body::read(headers, payload, JSON_BYTES_MAX, &state.bodies).await.ok()
            }
            RejectedBody::Unread(_) => None,
        };
        record(request, body, &self.problem, self.accounts, state);
        self.problem
    }
}

/// Rejects a request because of its head. An unsigned one is not recorded, because anybody may probe
/// paths.
pub async fn reject(request: &HttpRequest, payload: Payload, problem: Problem) -> Problem {
    let request = ReceivedRequest::new(request);
    let state = request.http.app_data::<web::Data<CallbackState>>().cloned();
    match state.filter(|_| request.is_signed()) {
        Some(state) => Rejected::unread(problem, payload, &state).record(&request, &state).await,
        None => problem,
    }
}

/// Reads a callback's body, up to the limit for its kind. The body of a signed request is read beyond
/// that limit, so that it can be quarantined completely.
pub async fn read_body(
    request: &ReceivedRequest,
    payload: Payload,
    kind: BodyKind,
    state: &web::Data<CallbackState>,
) -> Result<Body, Rejected> {
    let limit = bytes_max(kind);
    let read_max = if request.is_signed() { JSON_BYTES_MAX } else { limit };
    let connection = RecordBroken { request: Some(request), state };
    let (headers, time) = (request.http.headers(), time_max(kind));
    let outcome = body::read_within(time, headers, payload, read_max, &state.bodies).await;
    connection.disarm();
    let (body, problem) = match outcome {
        Ok(body) if body.bytes.len() <= limit => return Ok(body),
        Ok(body) => (Some(body), Problem::BodyTooLarge { limit }),
        Err(Problem::BodyTooLarge { .. }) => (None, Problem::BodyTooLarge { limit }),
        Err(problem) => (None, problem),
    };
    Err(Rejected::read(problem, body, state.accounts.load_full()))
}

/// Records a request whose connection breaks before its body has arrived: the future that awaits the
/// body is dropped then.
struct RecordBroken<'r> {
    request: Option<&'r ReceivedRequest>,
    state: &'r CallbackState,
}

impl RecordBroken<'_> {
    fn disarm(mut self) {
        self.request = None;
    }
}

impl Drop for RecordBroken<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            let accounts = self.state.accounts.load_full();
            record(request, None, &Problem::BodyBroken, accounts, self.state);
        }
    }
}

/// Counts and logs a rejected request, and offers it to the quarantine. If the body is incomplete, only
/// the head is stored.
fn record(
    request: &ReceivedRequest,
    body: Option<Body>,
    problem: &Problem,
    accounts: Arc<Accounts>,
    state: &CallbackState,
) {
    state.metrics.refused(problem);
    let status_code = problem.status_code().as_u16();
    let Some(rejection) = problem.rejection() else {
        return state.rejection_log.write(status_code, &problem.reason_without_data());
    };
    if matches!(rejection, Rejection::Path | Rejection::Method) {
        state.misdirected.count(request.http.method().as_str(), &request.target());
    }
    let is_about_the_signature = matches!(rejection, Rejection::Signature(_));
    let is_kept = request.is_post() && (is_about_the_signature || request.is_signed());
    let (recorder, line) =
        (state.recorder.as_ref().filter(|_| is_kept), state.rejection_log.line());
    if recorder.is_none() && line.is_none() {
        return;
    }
    let (public_urls, callback_paths) =
        (Arc::clone(&state.public_urls), Arc::clone(&state.callback_paths));
    let request = Arc::new(quarantined_request(request, body, rejection));
    let candidate = Candidate { request, rejection, accounts, public_urls, callback_paths };
    let cause = recorder.and_then(|recorder| recorder.try_record(candidate.clone()));
    let reason = problem.reason_without_data();
    match line {
        Some(line) if cause.is_some() || !is_kept => {
            line.write(status_code, &reason, cause.as_deref());
        }
        // The search for the cause takes up to a few milliseconds.
        Some(line) => drop(actix_web::rt::task::spawn_blocking(move || {
            line.write(status_code, &reason, candidate.cause().as_deref());
        })),
        None => {}
    }
}

fn quarantined_request(
    request: &ReceivedRequest,
    body: Option<Body>,
    rejection: Rejection,
) -> QuarantinedRequest {
    let headers = request.http.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
    QuarantinedRequest {
        id: Uuid::now_v7(),
        received_at: request.at,
        method: request.http.method().to_string(),
        target: request.target(),
        headers: quarantine::kept_headers(headers),
        whole: body.is_some(),
        body: body.map(|body| body.bytes).unwrap_or_default(),
        reason: rejection.name().to_owned(),
        cause: None,
        rank: Rank::Other,
    }
}
