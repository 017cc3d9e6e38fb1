//! Why there is no answer to a request.

use std::time::Duration;

use super::Refusal;

/// A request without an answer that could be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// No connection was made, so nothing reached Twilio.
    #[error("no connection to {url}: {detail}")]
    NotSent { url: String, detail: String },

    /// The request left, and no whole answer came: Twilio may have carried it out or not.
    #[error("no answer from {url}: {detail}")]
    NoAnswer { url: String, detail: String },

    /// Twilio asked to come again later, as often as we asked (HTTP 429, error 20429).
    #[error("Twilio takes no more requests at the moment ({refusal}); attempts: {attempts}")]
    TooMany { attempts: u32, retry_after: Option<Duration>, refusal: Refusal },

    /// Our own bound on requests is reached; nothing was sent.
    #[error("the number of requests that may be made is used up")]
    RequestsUsedUp,

    /// Whoever began this asked to stop; nothing was sent.
    #[error("stopped")]
    Stopped,
}
