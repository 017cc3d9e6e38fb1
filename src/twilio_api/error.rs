//! Errors of the REST API: requests without a usable response, and error responses.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::ApiResponse;

/// The maximum number of characters of Twilio's message that are shown, twice the longest known one.
const MESSAGE_CHARACTERS_MAX: usize = 500;

/// A request without a usable response.
#[derive(Debug, Clone, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum RequestError {
    /// No connection was made, so nothing reached Twilio.
    #[error("no connection to {url}: {detail}")]
    NotSent { url: String, detail: String },

    /// The request was sent, but no complete response arrived: Twilio may have carried it out or not.
    #[error("no answer from {url}: {detail}")]
    NoAnswer { url: String, detail: String },

    /// Twilio responded to every attempt with too many requests (HTTP 429, error 20429).
    #[error("Twilio takes no more requests at the moment ({refusal}); attempts: {attempts}")]
    TooMany { attempts: u32, retry_after: Option<Duration>, refusal: ApiError },

    /// The maximum number of requests is reached; nothing was sent.
    #[error("the number of requests that may be made is used up")]
    RequestsUsedUp,

    /// The caller asked to stop; nothing was sent.
    #[error("stopped")]
    Stopped,
}

/// An error response (<https://www.twilio.com/docs/usage/twilios-response#errors>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status code.
    pub status_code: u16,
    /// Twilio's error code.
    pub code: Option<u32>,
    /// Twilio's message, without control characters.
    pub message: Option<String>,
    /// The URL of Twilio's page about the error.
    pub more_info: Option<String>,
}

#[derive(Deserialize, Default)]
struct Body {
    code: Option<u32>,
    message: Option<String>,
    more_info: Option<String>,
}

impl ApiError {
    /// Parses a response; that of a proxy has neither code nor message.
    pub fn from_response(answer: &ApiResponse) -> Self {
        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        let clean = |text: String| {
            let shown = text.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARACTERS_MAX);
            Some(shown.collect::<String>().trim().to_owned()).filter(|text| !text.is_empty())
        };
        Self {
            status_code: answer.status_code,
            code: body.code,
            message: body.message.and_then(clean),
            more_info: body.more_info.and_then(clean),
        }
    }

    /// Twilio's message and its page about the error; `None` if it has no message.
    pub fn words(&self) -> Option<String> {
        let message = self.message.as_ref()?.trim_end_matches('.');
        Some(match &self.more_info {
            Some(url) => format!("{message} (see {url})"),
            None => message.to_owned(),
        })
    }

    /// Twilio's message and the advice; `None` if there is neither.
    pub fn explained(&self) -> Option<String> {
        match (self.words(), self.advice()) {
            (Some(words), Some(advice)) => Some(format!("{words}; {advice}")),
            (words, advice) => words.or_else(|| advice.map(str::to_owned)),
        }
    }

    /// Advice for the operator.
    pub fn advice(&self) -> Option<&'static str> {
        let too_far_back = self.message.as_deref().is_some_and(|text| text.contains("400 days"));
        Some(match (self.code, self.status_code) {
            _ if too_far_back => "ask for a later time (--since)",
            (Some(20003), _) | (_, 401) => {
                "check the account SID and its auth token, or the API key and its secret; another \
                 region has its own (TWILIO_REGION)"
            }
            (Some(20005), _) => "the account is not active: see Twilio's Console",
            (Some(20008), _) => "these are test credentials: use the live ones",
            (_, 403) => "the API key may not be allowed to read messages: check its permissions",
            (Some(20404), _) | (_, 404) => {
                "check the account SID, and the region that the messages are kept in \
                 (TWILIO_REGION)"
            }
            (Some(20429), _) | (_, 429) => "try again later, with fewer requests at a time",
            (_, 500..) => "try again later; see https://status.twilio.com",
            _ => return None,
        })
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status_code)?;
        if let Some(code) = self.code {
            write!(f, ", error {code}")?;
        }
        match self.explained() {
            Some(explained) => write!(f, ": {explained}"),
            None => Ok(()),
        }
    }
}
