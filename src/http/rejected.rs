//! A request that is rejected at the callback listener: counted, reported on stderr, and kept apart if
//! it was a POST. The answer waits for none of it, and little is done for each request of a flood.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{HttpMessage, HttpRequest, ResponseError, web};
use time::OffsetDateTime;
use uuid::Uuid;

use super::body::{self, Body, JSON_BYTES_MAX};
use super::error::Problem;
use super::state::Receiving;
use crate::domain::Timestamp;
use crate::quarantine;
use crate::quarantine::keeper::Refused;
use crate::quarantine::rejection::Rejection;
use crate::store::quarantine::{Rank, RefusedRequest};
use crate::twilio::accounts::Accounts;
use crate::twilio::signature::SIGNATURE_HEADER;

/// The target as it stood on the request line, where the HTTP library could not read it as it was.
pub struct OriginalTarget(pub String);

/// A request, and when its head was read.
#[derive(Clone)]
pub struct Arrived {
    pub request: HttpRequest,
    pub at: Timestamp,
}

impl Arrived {
    /// A request whose head was read just now.
    pub fn now(request: &HttpRequest) -> Self {
        Self { request: request.clone(), at: Timestamp::from(OffsetDateTime::now_utc()) }
    }

    /// Whether it carries a signature, whatever that is worth.
    pub fn is_signed(&self) -> bool {
        self.request.headers().contains_key(SIGNATURE_HEADER)
    }

    fn is_post(&self) -> bool {
        self.request.method() == "POST"
    }

    /// Path and query as they stood on the request line.
    pub fn target(&self) -> String {
        match self.request.extensions().get::<OriginalTarget>() {
            Some(OriginalTarget(target)) => target.clone(),
            None => {
                self.request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned()
            }
        }
    }
}

/// Rejects a request whose body nobody has read. Without a signature it leaves no trace: anybody may
/// try paths. What is signed is read, so that it can be kept whole.
pub async fn reject(request: &HttpRequest, payload: Payload, problem: Problem) -> Problem {
    let arrived = Arrived::now(request);
    let state = request.app_data::<web::Data<Receiving>>().cloned();
    let Some(state) = state.filter(|_| arrived.is_signed()) else { return problem };
    let body = match arrived.is_post() {
        true => body::read(request.headers(), payload, JSON_BYTES_MAX, &state.bodies).await.ok(),
        false => None,
    };
    record(&arrived, body, &problem, state.accounts.load_full(), &state);
    problem
}

/// Counts and reports a rejected request, and keeps it if it may be. Of one whose body was not read
/// whole only the head is kept.
pub fn record(
    arrived: &Arrived,
    body: Option<Body>,
    problem: &Problem,
    accounts: Arc<Accounts>,
    state: &Receiving,
) {
    state.metrics.refused(problem);
    let Some(rejection) = problem.rejection() else {
        return state.refusals.tell(problem.status_code().as_u16(), &problem.reason_without_data());
    };
    if matches!(rejection, Rejection::Path | Rejection::Method) {
        state.misdirected.count(arrived.request.method().as_str(), &arrived.target());
    }
    let is_about_the_signature = matches!(rejection, Rejection::Signature(_));
    let keeps = arrived.is_post() && (is_about_the_signature || arrived.is_signed());
    let (keeper, line) = (state.keeper.as_ref().filter(|_| keeps), state.refusals.line());
    if keeper.is_none() && line.is_none() {
        return;
    }
    let request = Arc::new(kept(arrived, body, rejection));
    let (public_urls, callback_paths) =
        (Arc::clone(&state.public_urls), Arc::clone(&state.callback_paths));
    let refused = Refused { request, rejection, accounts, public_urls, callback_paths };
    let cause = keeper.and_then(|keeper| keeper.offer(refused.clone()));
    let (status_code, reason) = (problem.status_code().as_u16(), problem.reason_without_data());
    match line {
        Some(line) if cause.is_some() || !keeps => {
            line.write(status_code, &reason, cause.as_deref());
        }
        // Searching for the cause takes up to some milliseconds.
        Some(line) => drop(actix_web::rt::task::spawn_blocking(move || {
            line.write(status_code, &reason, refused.cause().as_deref());
        })),
        None => {}
    }
}

fn kept(arrived: &Arrived, body: Option<Body>, rejection: Rejection) -> RefusedRequest {
    let headers = arrived.request.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
    RefusedRequest {
        id: Uuid::now_v7(),
        received_at: arrived.at,
        method: arrived.request.method().to_string(),
        target: arrived.target(),
        headers: quarantine::kept_headers(headers),
        whole: body.is_some(),
        body: body.map(|body| body.bytes).unwrap_or_default(),
        reason: rejection.name().to_owned(),
        cause: None,
        rank: Rank::Other,
    }
}
