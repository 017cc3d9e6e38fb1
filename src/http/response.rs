//! Responses that endpoints share: JSON, and the schemas of errors for the API's description.

use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::error::Problem;

/// Ends a response with a value as JSON and a line feed, after which a terminal's prompt is on its
/// own line.
pub fn json(
    mut response: HttpResponseBuilder,
    value: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    let mut json = serde_json::to_vec(value).map_err(|_| Problem::Internal)?;
    json.push(b'\n');
    Ok(response.content_type("application/json").body(json))
}

/// A problem (RFC 9457).
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `Problem` writes")]
pub struct ProblemDetails {
    r#type: String,
    title: String,
    status: u16,
    /// What is wrong, and what would be right.
    detail: String,
    /// Names this answer in what the server writes of it.
    request_id: String,
}

/// What any question may be answered with instead.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes what `Problem` answers")]
pub enum Failures {
    /// A parameter is unknown, doubled, or not what it must be
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemDetails),
    /// A token is needed
    #[response(status = 401, content_type = "application/problem+json")]
    NoToken(ProblemDetails),
    /// Not for this Host, or not for this token
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// There is none
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDetails),
    /// It could be several, conditions exclude each other, or the log does not go so far
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
    /// Too many attempts without a token that fits
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemDetails),
    /// Not now
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemDetails),
}
