//! One page of a list, and the path of the next.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::messages::{SentWindow, first_page};
use super::{ApiError, ApiResponse};
use crate::domain::AccountSid;

/// Messages of one response, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The JSON of each message.
    pub messages: Vec<Vec<u8>>,
    /// The path of the next page; `None` on the last.
    pub next: Option<String>,
}

/// A response that is not a page of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum PageError {
    #[error("Twilio answered a list with {0}")]
    Refused(ApiError),
    #[error("Twilio's list is no JSON with `messages`: {0}")]
    NotAPage(String),
    #[error("Twilio's list is no JSON with `accounts` (line {line}, column {column})")]
    NotAccounts { line: usize, column: usize },
    /// The next page is on another server, which must not receive the credentials.
    #[error("Twilio's list goes on at another place: `{}`", .0.escape_debug())]
    Elsewhere(String),
}

#[derive(Deserialize)]
struct PageBody<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
    next_page_uri: Option<String>,
}

impl Page {
    /// The path of the first page of an account's messages of a time.
    pub fn first(account_sid: &AccountSid, window: &SentWindow) -> String {
        first_page(account_sid, window)
    }

    /// Parses the response to a list request.
    pub fn from_response(answer: &ApiResponse, base_url: &str) -> Result<Self, PageError> {
        if answer.status_code != 200 {
            return Err(PageError::Refused(ApiError::from_response(answer)));
        }
        let page: PageBody<'_> = serde_json::from_slice(&answer.body)
            .map_err(|error| PageError::NotAPage(error.to_string()))?;
        let next = next_path(page.next_page_uri, base_url)?;
        let messages = page.messages.iter().map(|message| message.get().as_bytes().to_vec());
        Ok(Self { messages: messages.collect(), next })
    }
}

/// The path of the next page; `None` on the last.
pub fn next_path(uri: Option<String>, base_url: &str) -> Result<Option<String>, PageError> {
    uri.filter(|uri| !uri.is_empty()).map(|uri| path(uri, base_url)).transpose()
}

/// The path of a URL below the base, or of a path.
fn path(uri: String, base_url: &str) -> Result<String, PageError> {
    let path = uri.strip_prefix(base_url).unwrap_or(&uri);
    match path.starts_with('/') && !path.starts_with("//") {
        true => Ok(path.to_owned()),
        false => Err(PageError::Elsewhere(uri)),
    }
}
