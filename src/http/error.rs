//! Errors and their HTTP responses, as problem details (RFC 9457). Only this file and `send_problem.rs`
//! have the status codes of errors.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;
use uuid::Uuid;

use super::send_problem::SendProblem;
use crate::domain::{AccountSid, Position};
use crate::projection::ProjectionError;
use crate::projection::erased::ErasedMessage;
use crate::quarantine::rejection::Rejection;
use crate::seal::stored::StoredError;
use crate::store::StoreError;
use crate::store::writer::AppendError;
use crate::twilio::signature::InvalidReason;
use crate::wire::mask;

/// The response header with the id of a request, under which it is recorded or logged.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The Retry-After of a 503 in seconds: a full queue is empty by then.
const RETRY_AFTER_SECONDS: u32 = 1;

/// A request that fails.
#[derive(Debug)]
pub enum Problem {
    /// The signature, or the account, does not let the callback in.
    InvalidSignature(InvalidReason),
    /// The body is longer than a callback can be.
    BodyTooLarge {
        limit: usize,
    },
    /// A signed request came to a path of the callback listener that is no callback path.
    NoCallbackPath(String),
    /// A request is written as HTTP does not allow, though it could be read; the reason.
    NotHttp(&'static str),
    /// This ledger has forwarded the request itself.
    Loop,
    /// The bodies that are being read take all the memory that they may take together.
    TooManyBodies {
        limit: usize,
    },
    /// The body did not arrive in time.
    BodyTooSlow,
    /// The body did not arrive whole.
    BodyBroken,
    UnsupportedMediaType(String),
    NotStored(AppendError),
    /// No word from the writer; the event may still be stored.
    NotDurableInTime,
    /// The views are too far behind to answer.
    Behind,
    BadRequest(String),
    NotFound(String),
    /// Its content was erased, as this position of the log records.
    Erased(Position),
    /// The message was erased.
    ErasedMessage(ErasedMessage),
    Conflict(String),
    /// Several accounts have this message SID: each with its SID and with what it is called.
    SeveralAccounts(Vec<(AccountSid, String)>),
    MethodNotAllowed(&'static str),
    NoToken,
    /// Too many requests without a valid token came from this address, or from all.
    TooManyAttempts {
        retry_after_seconds: u64,
    },
    UnknownHost,
    /// The token sees addresses masked, and this cannot be masked.
    Masked,
    /// The token sees addresses masked, and the query contains more of an address than that.
    MaskedQuestion,
    /// The token sees addresses masked, and the query has a tag whose name or value looks like one.
    MaskedTag,
    /// The token sees addresses masked, and the query contains a text that could be a number.
    MaskedSid,
    /// The token is only for sending.
    MayNotRead,
    /// The token is not for sending.
    MayNotSend,
    /// The token sees addresses masked, and is not for finding messages by a whole number.
    MayNotFind,
    /// The token is not for what appends or changes something.
    MayNotOperate,
    /// The token has found too many numbers in a short time.
    TooManyLookups {
        retry_after_seconds: u64,
    },
    /// A page of another origin sent the request through a browser.
    ForeignOrigin,
    /// A form does not have the CSRF token of its session.
    ForeignForm,
    NotJson,
    TooManyStreams {
        limit: usize,
    },
    TooManyExports,
    TooManySends,
    /// Too many jobs are waiting; the reason with their number.
    TooManyJobs(String),
    /// Another token has started the job.
    OthersJob {
        started_by: String,
    },
    /// Sending failed, or its result is not known.
    Send(SendProblem),
    Store(StoreError),
    /// Something of the ledger could not be read; what is wrong.
    Failed(String),
    Internal,
}

impl Problem {
    /// The reason without anything that the sender chose, for telemetry.
    pub fn reason_without_data(&self) -> String {
        match self {
            Problem::UnsupportedMediaType(_) => "the body is neither a form nor JSON".to_owned(),
            Problem::NoCallbackPath(_) => format!("signed, but {}", Rejection::Path),
            Problem::MethodNotAllowed(_) => format!("signed, but {}", Rejection::Method),
            other => other.to_string(),
        }
    }

    /// Why the callback listener rejects the request for good; `None` if it may be sent again.
    pub fn rejection(&self) -> Option<Rejection> {
        Some(match self {
            Problem::InvalidSignature(reason) => Rejection::Signature(*reason),
            Problem::NoCallbackPath(_) => Rejection::Path,
            Problem::MethodNotAllowed(_) => Rejection::Method,
            Problem::NotHttp(_) => Rejection::Request,
            Problem::BodyTooLarge { .. } => Rejection::TooLarge,
            Problem::BodyTooSlow => Rejection::TooSlow,
            Problem::BodyBroken => Rejection::Broken,
            Problem::UnsupportedMediaType(_) => Rejection::MediaType,
            _ => return None,
        })
    }
}

impl Problem {
    /// The same problem with the addresses in its detail masked; `None` if it never contains any.
    pub fn masked(&self) -> Option<Self> {
        let detail = |text: &String| mask::text(text);
        Some(match self {
            Problem::BadRequest(text) => Problem::BadRequest(detail(text)),
            Problem::NotFound(text) => Problem::NotFound(detail(text)),
            Problem::Conflict(text) => Problem::Conflict(detail(text)),
            Problem::SeveralAccounts(_) => Problem::Conflict(detail(&self.to_string())),
            Problem::Send(problem) => Problem::Send(problem.masked()),
            _ => return None,
        })
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Problem::Store(error)
    }
}

impl From<StoredError> for Problem {
    fn from(error: StoredError) -> Self {
        match error {
            StoredError::Store(error) => Problem::Store(error),
            error @ StoredError::Record { .. } => Problem::Failed(error.to_string()),
        }
    }
}

impl From<ProjectionError> for Problem {
    fn from(error: ProjectionError) -> Self {
        match error {
            ProjectionError::Store(error) => Problem::Store(error),
            error => Problem::Failed(error.to_string()),
        }
    }
}

impl From<actix_web::error::BlockingError> for Problem {
    fn from(_: actix_web::error::BlockingError) -> Self {
        Problem::Internal
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::InvalidSignature(reason) => reason.fmt(f),
            Problem::BodyTooLarge { limit } => write!(f, "the body is longer than {limit} bytes"),
            Problem::NoCallbackPath(path) => write!(
                f,
                "there is nothing at this path: `{path}` is no callback path; the URL at Twilio has to \
                 end with one that is configured (--callback-path)"
            ),
            Problem::NotHttp(reason) => f.write_str(reason),
            Problem::Loop => f.write_str(
                "this ledger forwarded the request itself: one of its targets leads back to it",
            ),
            Problem::TooManyBodies { limit } => write!(
                f,
                "the bodies that are being read take {} MiB already, and may take no more",
                limit >> 20
            ),
            Problem::BodyTooSlow => f.write_str("the body did not arrive in time"),
            Problem::BodyBroken => f.write_str("the body ended before its Content-Length"),
            Problem::UnsupportedMediaType(media_type) => write!(
                f,
                "Content-Type `{media_type}` is neither application/x-www-form-urlencoded nor JSON"
            ),
            Problem::NotStored(error) => error.fmt(f),
            Problem::NotDurableInTime => {
                f.write_str("the event was not durable in time; it may still be stored")
            }
            Problem::Behind => {
                f.write_str("the views are being rebuilt and too far behind to answer yet")
            }
            Problem::BadRequest(detail) | Problem::NotFound(detail) | Problem::Conflict(detail) => {
                f.write_str(detail)
            }
            Problem::SeveralAccounts(accounts) => {
                let names: Vec<_> = accounts.iter().map(|(_, name)| name.as_str()).collect();
                let names = names.join(", ");
                write!(f, "several accounts have this message SID; add account_sid, one of: {names}")
            }
            Problem::Erased(position) => {
                write!(f, "its content was erased, as the event at position {position} records")
            }
            Problem::ErasedMessage(erased) => erased.fmt(f),
            Problem::MethodNotAllowed(allowed) => write!(f, "this path takes only {allowed}"),
            Problem::NoToken => f.write_str("this listener needs `Authorization: Bearer TOKEN`"),
            Problem::UnknownHost => f.write_str(
                "the Host of this request is neither a loopback name nor one of admin_hosts",
            ),
            Problem::TooManyAttempts { .. } => {
                f.write_str("too many requests without a token that fits; wait")
            }
            Problem::Masked => f.write_str(
                "this token shows addresses masked (read:masked), and this answer would tell them",
            ),
            Problem::MaskedQuestion => f.write_str(
                "this token shows addresses masked (read:masked), and this answer would tell one; \
                 ask by `*` and the last four digits, such as `*5310`",
            ),
            Problem::MaskedTag => f.write_str(
                "this token shows addresses masked (read:masked), and the name or the value of this tag \
                 looks like one; use another tag",
            ),
            Problem::MaskedSid => f.write_str(
                "this token shows addresses masked (read:masked), and what is asked for could be a \
                 number; ask by a SID of Twilio's form, such as SM and 32 hex digits",
            ),
            Problem::MayNotRead => f.write_str("this token may not read: its scope has neither read nor read:masked"),
            Problem::MayNotSend => {
                f.write_str("sending takes an API token that has `send` in its scope")
            }
            Problem::MayNotFind => f.write_str(
                "this token shows addresses masked (read:masked); finding the messages of a whole \
                 number takes one that has `find` in its scope, too",
            ),
            Problem::MayNotOperate => f.write_str(
                "this appends or changes something, which takes an API token that has `operate` in its \
                 scope",
            ),
            Problem::TooManyLookups { retry_after_seconds } => write!(
                f,
                "this token has looked up too many numbers; wait {retry_after_seconds} s"
            ),
            Problem::ForeignOrigin => f.write_str(
                "a page of another origin sent this request, and only pages of this server may change \
                 anything",
            ),
            Problem::ForeignForm => f.write_str(
                "this form is not from a page of this session; reload the page and submit it again",
            ),
            Problem::NotJson => f.write_str("the Content-Type has to be application/json"),
            Problem::TooManySends => f.write_str("too many messages are being sent already"),
            Problem::TooManyJobs(reason) => f.write_str(reason),
            Problem::OthersJob { started_by } => write!(
                f,
                "this job was started with the token `{started_by}`; only that token, or one that has \
                 `operate` in its scope, may stop or remove it"
            ),
            Problem::Send(problem) => problem.fmt(f),
            Problem::TooManyExports => f.write_str("too many exports are being written already"),
            Problem::TooManyStreams { limit } => {
                write!(f, "{limit} readers follow the log already, and there are no more")
            }
            Problem::Store(error) => error.fmt(f),
            Problem::Failed(detail) => f.write_str(detail),
            Problem::Internal => f.write_str("the request could not be carried out"),
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Problem::InvalidSignature(_)
            | Problem::UnknownHost
            | Problem::Masked
            | Problem::MaskedQuestion
            | Problem::MaskedTag
            | Problem::MaskedSid
            | Problem::MayNotRead
            | Problem::MayNotSend
            | Problem::MayNotFind
            | Problem::OthersJob { .. }
            | Problem::MayNotOperate
            | Problem::ForeignOrigin
            | Problem::ForeignForm => StatusCode::FORBIDDEN,
            Problem::Send(problem) => problem.status_code(),
            Problem::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Problem::BodyBroken | Problem::BadRequest(_) | Problem::NotHttp(_) => {
                StatusCode::BAD_REQUEST
            }
            Problem::UnsupportedMediaType(_) | Problem::NotJson => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Problem::Loop => StatusCode::LOOP_DETECTED,
            Problem::NotStored(_)
            | Problem::NotDurableInTime
            | Problem::Behind
            | Problem::TooManyBodies { .. }
            | Problem::TooManyStreams { .. }
            | Problem::TooManyExports
            | Problem::TooManySends => StatusCode::SERVICE_UNAVAILABLE,
            Problem::NotFound(_) | Problem::NoCallbackPath(_) => StatusCode::NOT_FOUND,
            Problem::Erased(_) | Problem::ErasedMessage(_) => StatusCode::GONE,
            Problem::Conflict(_) | Problem::SeveralAccounts(_) => StatusCode::CONFLICT,
            Problem::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Problem::NoToken => StatusCode::UNAUTHORIZED,
            Problem::TooManyAttempts { .. }
            | Problem::TooManyLookups { .. }
            | Problem::TooManyJobs(_) => StatusCode::TOO_MANY_REQUESTS,
            Problem::Store(_) | Problem::Failed(_) | Problem::Internal => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status_code = self.status_code();
        let request_id = Uuid::now_v7().to_string();
        if status_code == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(%request_id, "{self}");
        }
        let mut response = HttpResponse::build(status_code);
        response.insert_header((REQUEST_ID, &*request_id));
        match self {
            Problem::MethodNotAllowed(allowed) => {
                response.insert_header((ALLOW, HeaderValue::from_static(allowed)));
            }
            Problem::NoToken => {
                response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
            }
            Problem::TooManyAttempts { retry_after_seconds }
            | Problem::TooManyLookups { retry_after_seconds } => {
                response.insert_header((RETRY_AFTER, *retry_after_seconds));
            }
            _ if status_code == StatusCode::SERVICE_UNAVAILABLE
                || matches!(self, Problem::TooManyJobs(_)) =>
            {
                response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
            }
            _ => {}
        }
        let mut body = json!({
            "type": "about:blank",
            "title": status_code.canonical_reason(),
            "status": status_code.as_u16(),
            "detail": self.to_string(),
            "request_id": request_id,
        });
        if let (Problem::Send(problem), Some(body)) = (self, body.as_object_mut()) {
            body.extend(problem.members().as_object().cloned().unwrap_or_default());
        }
        response.content_type("application/problem+json").body(format!("{body}\n"))
    }
}

/// The response for a path that is not UTF-8.
pub fn unreadable_path(_: actix_web::error::PathError, _: &HttpRequest) -> actix_web::Error {
    Problem::NotFound("there is nothing at this path".to_owned()).into()
}

/// The response for an unknown path.
pub async fn no_such_path() -> Result<HttpResponse, Problem> {
    Err(Problem::NotFound("there is nothing at this path".to_owned()))
}

/// The response for a method that a path does not support.
pub async fn method_not_allowed(allowed: &'static str) -> Result<HttpResponse, Problem> {
    Err(Problem::MethodNotAllowed(allowed))
}
