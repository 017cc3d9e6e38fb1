//! Timestamps, from worked examples and from authorities that OpenSSL plays.

pub mod authority;
mod certificates;
mod changed;
mod exchange;
mod tokens;
mod vectors;

use std::error::Error;

use delivery_ledger::seal::timestamp::{AuthorityCertificates, TimestampError, verify};

const MESSAGE: &[u8] = b"what is attested";

/// Verifies a token about [`MESSAGE`] by these PEM certificates, and returns the time and the authority.
fn verified(token: &[u8], trusted: &str) -> Result<(String, String), String> {
    let trusted = AuthorityCertificates::from_pem(trusted.as_bytes()).unwrap();
    let attested = verify(token, MESSAGE, None, &trusted);
    attested.map(|it| (it.at.to_string(), it.authority)).map_err(|error| text(&error))
}

/// The error's text, with its source.
fn text(error: &TimestampError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
