//! `openapi`: the document of the interface for questions.

use std::io::Write;

use anyhow::Result;

use crate::cli::Outcome;
use crate::http::admin::openapi::document;

/// Prints the document, the same that `/openapi.json` has.
pub fn run() -> Result<Outcome> {
    std::io::stdout().lock().write_all(document().as_bytes())?;
    Ok(Outcome::Done)
}
