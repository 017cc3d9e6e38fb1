//! HTTP client of Twilio's REST API, which retries a request only if that is safe.

use std::io::Read;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::Method;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use secrecy::ExposeSecret;
use time::OffsetDateTime;

use super::limits::RETRY_AFTER_MAX;
use super::{ApiError, ApiResponse, Credentials, RequestError, RequestLimits};
use crate::domain::event::Headers;
use crate::domain::time::retry_after::retry_after as parse_retry_after;
use crate::twilio::form::MEDIA_TYPE;

/// The time limit for a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The default time limit for a response to begin, and again for it to be complete: a
/// list of 1,000 messages takes Twilio some seconds.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The number of bytes of a response that are read between two checks of the time limit.
const CHUNK_BYTES: usize = 64 << 10;

/// A page of 1,000 messages has some 2 MB; a longer response is not from Twilio.
const ANSWER_BYTES_MAX: u64 = 32 << 20;

/// The maximum number of attempts for a request that may be repeated.
const ATTEMPTS_MAX: usize = 8;

/// The wait before the second attempt; each further wait is twice as long, plus a random time of up to the same length.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait that Twilio has not asked for.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Headers of a response that are stored: its media type, and the id by which Twilio's support finds it.
const KEPT_HEADERS: [&str; 2] = ["content-type", "twilio-request-id"];

/// A client for one base URL.
#[derive(Clone)]
pub struct Client {
    http: reqwest::blocking::Client,
    base_url: String,
    timeout: Duration,
    limits: RequestLimits,
}

/// Whether a request may be repeated after a failure that leaves its outcome unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RetryPolicy {
    /// It only reads.
    Always,
    /// It creates something, and Twilio has no idempotency keys: it may only be repeated after a response
    /// that says that nothing was done.
    AfterRefusalOnly,
}

impl Client {
    /// For this base URL, such as `https://api.twilio.com`. Proxies that the environment names are
    /// used; redirects are not followed, because other servers must not receive the credentials.
    ///
    /// It must be created and dropped outside of asynchronous code.
    pub fn new(
        base_url: &str,
        timeout: Duration,
        limits: RequestLimits,
    ) -> Result<Self, reqwest::Error> {
        // The second call in a process finds the first one's.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::blocking::Client::builder()
            .user_agent(concat!("delivery-ledger/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .redirect(Policy::none())
            .build()?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { http, base_url, timeout, limits })
    }

    /// The same client with other limits.
    pub fn within(&self, limits: RequestLimits) -> Self {
        Self { limits, ..self.clone() }
    }

    /// How many requests may still be made.
    pub fn requests_left(&self) -> u64 {
        self.limits.requests_left()
    }

    /// Reserves this many requests for later work.
    pub fn keep_back(&self, requests: u64) {
        self.limits.keep_back(requests);
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// Sends a GET request. It is repeated, after a growing wait or when Twilio says, if there was no
    /// connection, no response, a server error or too many requests.
    pub fn get(&self, who: &Credentials, path: &str) -> Result<ApiResponse, RequestError> {
        self.ask(RetryPolicy::Always, || self.once(Method::GET, who, path, None))
    }

    /// Sends a form. It is only repeated if Twilio responds that it was not carried out (429), because
    /// creating a message is not idempotent.
    pub fn post(
        &self,
        who: &Credentials,
        path: &str,
        form: &[u8],
    ) -> Result<ApiResponse, RequestError> {
        self.ask(RetryPolicy::AfterRefusalOnly, || self.once(Method::POST, who, path, Some(form)))
    }

    fn ask(
        &self,
        again: RetryPolicy,
        once: impl Fn() -> Result<Exchange, RequestError>,
    ) -> Result<ApiResponse, RequestError> {
        let waits = ExponentialBuilder::default()
            .with_min_delay(FIRST_WAIT)
            .with_max_delay(WAIT_MAX)
            .with_max_times(ATTEMPTS_MAX - 1)
            .with_jitter()
            .build();
        let mut attempts = 0;
        for wait in waits {
            self.limits.take_one()?;
            let outcome = once();
            attempts += 1;
            match again.wait(&outcome, wait).filter(|wait| *wait <= self.limits.wait_max) {
                None => return finish(outcome, attempts),
                Some(wait) => match self.limits.wait(wait) {
                    // That it was not carried out is known, and says more.
                    Err(_) if again == RetryPolicy::AfterRefusalOnly => {
                        return finish(outcome, attempts);
                    }
                    waited => waited?,
                },
            }
        }
        self.limits.take_one()?;
        finish(once(), attempts + 1)
    }

    fn once(
        &self,
        method: Method,
        who: &Credentials,
        path: &str,
        form: Option<&[u8]>,
    ) -> Result<Exchange, RequestError> {
        let url = self.url(path);
        let request = self.http.request(method, &url);
        let request = request.basic_auth(&who.user, Some(who.password.expose_secret()));
        let request = match form {
            Some(form) => request.header(CONTENT_TYPE, MEDIA_TYPE).body(form.to_vec()),
            None => request,
        };
        let response = request.send().map_err(|error| failure(&url, &error))?;
        read(&url, response, Instant::now() + self.timeout)
    }
}

/// A response, and the wait before a retry that Twilio asks for.
struct Exchange {
    answer: ApiResponse,
    retry_after: Option<Duration>,
}

impl RetryPolicy {
    /// How long to wait before a retry; `None` if there must be none.
    fn wait(self, outcome: &Result<Exchange, RequestError>, ours: Duration) -> Option<Duration> {
        match outcome {
            Ok(Exchange { answer, retry_after }) => {
                let refused = answer.status_code == 429;
                let broken = answer.status_code >= 500 && self == RetryPolicy::Always;
                // Never sooner than Twilio says, and ever slower where that does not help.
                let theirs = retry_after.unwrap_or_default();
                ((refused || broken) && theirs <= RETRY_AFTER_MAX).then_some(theirs.max(ours))
            }
            Err(RequestError::NotSent { .. } | RequestError::NoAnswer { .. })
                if self == RetryPolicy::Always =>
            {
                Some(ours)
            }
            Err(_) => None,
        }
    }
}

fn finish(
    outcome: Result<Exchange, RequestError>,
    attempts: u32,
) -> Result<ApiResponse, RequestError> {
    match outcome? {
        Exchange { answer, retry_after } if answer.status_code == 429 => {
            let refusal = ApiError::from_response(&answer);
            Err(RequestError::TooMany { attempts, retry_after, refusal })
        }
        Exchange { answer, .. } => Ok(answer),
    }
}

fn read(url: &str, response: Response, deadline: Instant) -> Result<Exchange, RequestError> {
    let status_code = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after =
        retry_after.and_then(|value| parse_retry_after(value, OffsetDateTime::now_utc()));
    let kept = KEPT_HEADERS.iter().filter_map(|name| {
        let value = response.headers().get(*name)?;
        Some(((*name).to_owned(), value.as_bytes().to_vec()))
    });
    let headers = Headers::new(kept);
    let body = body(response, deadline).map_err(|detail| no_answer(url, detail))?;
    let answer = ApiResponse { status_code, url: url.to_owned(), headers, body };
    Ok(Exchange { answer, retry_after })
}

/// Reads the whole body. The library limits the time of each read only, so a slow body would never end.
fn body(mut response: Response, deadline: Instant) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = response.read(&mut chunk);
        match read.map_err(|error| format!("it ended in the middle: {error}"))? {
            0 => return Ok(body),
            _ if Instant::now() > deadline => return Err("it took too long".to_owned()),
            bytes => body.extend_from_slice(&chunk[..bytes]),
        }
        if body.len() as u64 > ANSWER_BYTES_MAX {
            return Err(format!("it is longer than {ANSWER_BYTES_MAX} bytes"));
        }
    }
}

/// The URL as errors show it, without the query, which may contain a number.
fn no_answer(url: &str, detail: String) -> RequestError {
    RequestError::NoAnswer { url: without_query(url), detail }
}

fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

fn failure(url: &str, error: &reqwest::Error) -> RequestError {
    match error.is_connect() {
        true => RequestError::NotSent { url: without_query(url), detail: cause(error) },
        false => no_answer(url, cause(error)),
    }
}

/// The innermost cause, which is the only one that names the problem.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match error.is_timeout() {
        true => "it took too long".to_owned(),
        false => innermost.to_string(),
    }
}
