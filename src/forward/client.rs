//! Sends one request to a target, and says what came of it. Nothing is repeated here.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::domain::time::retry_after::retry_after;
use crate::forward::address::{is_link_local, literal_address};
use crate::forward::request::OutgoingRequest;
use crate::forward::resolver::{LinkLocalOnly, WithoutLinkLocal};
use crate::forward::target::Target;

/// The time limit for a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept: shorter than servers keep theirs, which is at least a few seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The bytes of an answer that are read, so that its connection can be used again. What it says does not matter.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How long the rest of an answer is waited for after its status code.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target has the event: the status code is 2xx.
    Accepted(u16),
    /// Any other status code, and the wait that the target asks for.
    Refused(u16, Option<Duration>),
    /// There was no answer.
    NoAnswer(NoAnswer),
    /// The request was not sent, because there is no token to sign it with.
    NotSigned(String),
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// A word for metrics and lists.
    pub reason: NoAnswerReason,
    /// What the network says.
    pub detail: String,
}

/// Why there was no answer, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswerReason {
    /// The time limit passed.
    Timeout,
    /// No connection: nothing listens, the name is unknown, or TLS failed.
    NoConnection,
    /// The connection ended before a status code.
    Closed,
    /// The target is at a link-local address.
    LinkLocal,
}

impl NoAnswerReason {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            NoAnswerReason::Timeout => "timeout",
            NoAnswerReason::NoConnection => "no_connection",
            NoAnswerReason::Closed => "closed",
            NoAnswerReason::LinkLocal => "link_local",
        }
    }
}

impl Outcome {
    /// The status code, or a word for the reason why there is none.
    pub fn text(&self) -> String {
        match self {
            Outcome::Accepted(code) | Outcome::Refused(code, _) => code.to_string(),
            Outcome::NoAnswer(NoAnswer { reason, .. }) => reason.name().to_owned(),
            Outcome::NotSigned(_) => "not_signed".to_owned(),
        }
    }

    /// True if a failure is of the target, and not of the event that was sent: there is no answer, or one that
    /// asks to try again, or a redirect.
    pub fn is_of_target(&self) -> bool {
        matches!(
            self,
            Outcome::NoAnswer(_) | Outcome::Refused(300..=399 | 408 | 425 | 429 | 500.., _)
        )
    }

    /// The wait that the target asks for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Outcome::Refused(_, wait) => *wait,
            _ => None,
        }
    }

    /// A sentence about a failure; `None` if the event was accepted.
    pub fn failure(&self) -> Option<String> {
        match self {
            Outcome::Accepted(_) => None,
            Outcome::Refused(code @ 300..=399, _) => {
                Some(format!("answered {code}; redirects are not followed"))
            }
            Outcome::Refused(code, _) => Some(format!("answered {code}")),
            Outcome::NoAnswer(NoAnswer { detail, .. }) => Some(detail.clone()),
            Outcome::NotSigned(reason) => Some(reason.clone()),
        }
    }
}

/// A client for one target, which follows no redirects and uses no proxy.
#[derive(Debug, Clone)]
pub struct TargetClient {
    http: Client,
    /// The host, if it is an address that must not be called.
    refused: Option<String>,
}

impl TargetClient {
    /// A client with the limits of a target.
    pub fn new(target: &Target) -> Result<Self, reqwest::Error> {
        // The second call in a process finds the first one's.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .timeout(target.timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(target.timeout))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(target.requests)
            .http1_only()
            .redirect(Policy::none())
            .referer(false)
            .no_proxy();
        let (builder, refused) = match target.allow_link_local {
            true => (builder, None),
            false => (
                builder.dns_resolver(WithoutLinkLocal),
                literal_address(&target.url).filter(|it| is_link_local(*it)),
            ),
        };
        let refused = refused.map(|address| format!("{address} is a link-local address"));
        Ok(Self { http: builder.build()?, refused })
    }

    /// Sends a request and waits for the answer, at most for the target's time limit.
    pub async fn send(&self, request: OutgoingRequest) -> Outcome {
        if let Some(detail) = self.refused.clone() {
            return Outcome::NoAnswer(NoAnswer { reason: NoAnswerReason::LinkLocal, detail });
        }
        let OutgoingRequest { method, url, headers, body } = request;
        let request = self.http.request(method, url).headers(header_map(headers)).body(body);
        match request.send().await {
            Ok(response) => answered(response).await,
            // The URL may have a secret in its query.
            Err(error) => Outcome::NoAnswer(no_answer(&error.without_url())),
        }
    }
}

/// Headers that HTTP cannot carry were not received by HTTP either, so that none is lost.
fn header_map(headers: Vec<(String, Vec<u8>)>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value))
        {
            map.append(name, value);
        }
    }
    map.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!(
        "delivery-ledger/",
        env!("CARGO_PKG_VERSION")
    )));
    map
}

async fn answered(mut response: Response) -> Outcome {
    let code = response.status().as_u16();
    let outcome = match response.status().is_success() {
        true => Outcome::Accepted(code),
        false => {
            let value = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            Outcome::Refused(
                code,
                value.and_then(|value| retry_after(value, OffsetDateTime::now_utc())),
            )
        }
    };
    let rest = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > ANSWER_BYTES_MAX {
                break;
            }
        }
    };
    // The status code decides, whatever happens to the rest.
    let _rest = timeout(ANSWER_TIMEOUT, rest).await;
    outcome
}

fn no_answer(error: &reqwest::Error) -> NoAnswer {
    let mut innermost: &dyn Error = error;
    let mut is_link_local = false;
    while let Some(source) = innermost.source() {
        innermost = source;
        is_link_local |= innermost.is::<LinkLocalOnly>();
    }
    let reason = match () {
        () if is_link_local => NoAnswerReason::LinkLocal,
        () if error.is_timeout() => NoAnswerReason::Timeout,
        () if error.is_connect() => NoAnswerReason::NoConnection,
        () => NoAnswerReason::Closed,
    };
    let detail = match reason {
        NoAnswerReason::Timeout => "took too long to answer".to_owned(),
        NoAnswerReason::NoConnection => format!("no connection: {innermost}"),
        NoAnswerReason::Closed => format!("closed the connection without an answer: {innermost}"),
        NoAnswerReason::LinkLocal => innermost.to_string(),
    };
    NoAnswer { reason, detail }
}
