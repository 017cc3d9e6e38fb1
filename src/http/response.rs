//! Answers in JSON. Each ends in a line feed, as texts do, so that a terminal's prompt stands below it.

use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use super::error::Problem;

/// The answer that this builder has begun, with a value as its body.
pub fn json(
    mut response: HttpResponseBuilder,
    value: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    let mut json = serde_json::to_vec(value).map_err(|_| Problem::Internal)?;
    json.push(b'\n');
    Ok(response.content_type("application/json").body(json))
}
