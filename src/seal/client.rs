//! The HTTP client for witnesses and timestamp authorities.

use std::error::Error;
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::redirect::Policy;

/// How long an answer may take: nobody waits for it, and the next seal asks again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client that follows no redirects: who is asked is known by the URL. It must be created and dropped outside of
/// asynchronous code.
pub fn new() -> Result<Client, reqwest::Error> {
    // The second call in a process finds the first one's.
    let _already = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("delivery-ledger/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .build()
}

/// An error with its causes: the outermost says only that a request failed.
pub fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
