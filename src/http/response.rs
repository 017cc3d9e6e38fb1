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
    /// What is wrong, and what is expected
    detail: String,
    /// Identifies this response in the server's telemetry
    request_id: String,
}

/// Errors of every endpoint.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes what `Problem` answers")]
pub enum Failures {
    /// A parameter is unknown, repeated or invalid
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemDetails),
    /// A token is required
    #[response(status = 401, content_type = "application/problem+json")]
    NoToken(ProblemDetails),
    /// The Host or the scope of the token does not allow this
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// It does not exist
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDetails),
    /// The request is ambiguous, its conditions exclude each other, or the log does not have what it names
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
    /// Too many attempts without a valid token, or too many lookups with this one
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemDetails),
    /// Try again later
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemDetails),
}
