//! From a request to an event: a bounded body, and a signature over exactly what arrived.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpRequest, web};
use uuid::Uuid;

use super::body::{self, Body, JSON_BYTES_MAX, Share, bytes_max};
use super::error::Problem;
use super::rejected::{Arrived, record, reject};
use super::state::Receiving;
use crate::domain::event::Headers;
use crate::domain::{NewEvent, Source};
use crate::twilio::callback::BodyKind;
use crate::twilio::headers::is_event_header;
use crate::twilio::signature::{SETTINGS_HEADER, SIGNATURE_HEADER, Signed, Verdict, verify};

/// A callback whose signature was valid, as the event it becomes, and the share of the memory for
/// bodies that it takes.
pub struct SignedCallback(pub NewEvent, pub Share);

impl FromRequest for SignedCallback {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (arrived, payload) = (Arrived::now(request), payload.take());
        Box::pin(async move {
            let state = arrived.request.app_data::<web::Data<Receiving>>().cloned();
            receive(arrived, payload, &state.ok_or(Problem::Internal)?).await
        })
    }
}

async fn receive(
    arrived: Arrived,
    payload: Payload,
    state: &web::Data<Receiving>,
) -> Result<SignedCallback, Problem> {
    let kind = match body_kind(arrived.request.headers()) {
        Ok(kind) => kind,
        Err(problem) if arrived.is_signed() => {
            return Err(reject(&arrived.request, payload, problem).await);
        }
        Err(problem) => {
            record(&arrived, None, &problem, state.accounts.load_full(), state);
            return Err(problem);
        }
    };
    let body = whole_body(&arrived, payload, kind, state).await?;
    verified(&arrived, kind, body, state)
}

/// The body, if it is no longer than its kind may be. Of a signed request a longer one is read too, up
/// to the most that can be kept, so that it is not lost with its rejection.
async fn whole_body(
    arrived: &Arrived,
    payload: Payload,
    kind: BodyKind,
    state: &web::Data<Receiving>,
) -> Result<Body, Problem> {
    let limit = bytes_max(kind);
    let read = if arrived.is_signed() { JSON_BYTES_MAX } else { limit };
    let broken = Broken { arrived: Some(arrived.clone()), state: state.clone() };
    let outcome = body::read(arrived.request.headers(), payload, read, &state.bodies).await;
    broken.answered();
    let (body, problem) = match outcome {
        Ok(body) if body.bytes.len() <= limit => return Ok(body),
        Ok(body) => (Some(body), Problem::BodyTooLarge { limit }),
        Err(Problem::BodyTooLarge { .. }) => (None, Problem::BodyTooLarge { limit }),
        Err(problem) => (None, problem),
    };
    record(arrived, body, &problem, state.accounts.load_full(), state);
    Err(problem)
}

/// Records a request whose connection breaks before its body has arrived: nobody is left to answer,
/// and what awaits the body is dropped.
struct Broken {
    arrived: Option<Arrived>,
    state: web::Data<Receiving>,
}

impl Broken {
    fn answered(mut self) {
        self.arrived = None;
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        if let Some(arrived) = self.arrived.take() {
            let accounts = self.state.accounts.load_full();
            record(&arrived, None, &Problem::BodyBroken, accounts, &self.state);
        }
    }
}

fn verified(
    arrived: &Arrived,
    kind: BodyKind,
    body: Body,
    state: &Receiving,
) -> Result<SignedCallback, Problem> {
    let headers = arrived.request.headers();
    let urls = signed_urls(&arrived.request, state);
    let header = |name: &str| headers.get(name).map(|value| value.as_bytes());
    let signed = Signed {
        urls: &urls,
        kind,
        body: &body.bytes,
        signature: header(SIGNATURE_HEADER).unwrap_or_default(),
        settings: header(SETTINGS_HEADER),
    };
    let accounts = state.accounts.load_full();
    let (verified_by, url) = match verify(&signed, &accounts) {
        Verdict::Valid { verified_by, url } => (verified_by, url),
        Verdict::Invalid(refusal) => {
            let problem = Problem::Refused(refusal);
            record(arrived, Some(body), &problem, accounts, state);
            return Err(problem);
        }
    };
    let event = NewEvent {
        event_id: Uuid::now_v7(),
        received_at: arrived.at,
        source: Source::Callback,
        method: arrived.request.method().to_string(),
        url: urls.into_iter().nth(url).unwrap_or_default(),
        headers: event_headers(headers),
        body: body.bytes,
        verified_by: Some(verified_by),
        notes: Default::default(),
    };
    Ok(SignedCallback(event, body.share))
}

fn body_kind(headers: &HeaderMap) -> Result<BodyKind, Problem> {
    let value = headers.get("content-type").map(|value| String::from_utf8_lossy(value.as_bytes()));
    let media_type = value.as_deref().map(|value| value.split(';').next().unwrap_or_default());
    let media_type = media_type.map(|text| text.trim().to_ascii_lowercase());
    BodyKind::of(media_type.as_deref())
        .ok_or_else(|| Problem::UnsupportedMediaType(media_type.unwrap_or_default()))
}

/// Every URL that Twilio may have signed for this request line. Host and X-Forwarded-* play no
/// part: anybody can send them.
fn signed_urls(request: &HttpRequest, state: &Receiving) -> Vec<String> {
    let path_and_query = request.uri().path_and_query().map_or("/", |path| path.as_str());
    state.public_urls.iter().flat_map(|base| base.with(path_and_query)).collect()
}

fn event_headers(headers: &HeaderMap) -> Headers {
    let kept = headers.iter().filter(|(name, _)| is_event_header(name.as_str()));
    Headers::new(kept.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())))
}
