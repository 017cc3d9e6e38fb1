//! Client of Twilio's REST API: create, fetch and list messages
//! (<https://www.twilio.com/docs/messaging/api/message-resource>), report feedback, and list accounts;
//! and of Event Streams.
//!
//! Every call blocks, has a timeout, and returns Twilio's response unchanged.

mod accounts_page;
mod client;
mod error;
pub mod event_streams;
mod limits;
mod messages;
mod page;

use secrecy::SecretString;

pub use self::accounts_page::{AccountStatus, AccountsPage, FIRST_ACCOUNTS_PAGE, ListedAccount};
pub use self::client::{ANSWER_TIMEOUT, Client};
pub use self::error::{ApiError, RequestError};
pub use self::limits::RequestLimits;
pub use self::messages::{SentWindow, feedback_url, is_feedback_url, message_url, messages_url};
pub use self::page::{Page, PageError};
use crate::domain::event::Headers;

/// Credentials of a request: an account's SID and auth token, or an API key and its secret
/// (<https://www.twilio.com/docs/usage/requests-to-twilio#credentials>).
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The SID of the account or of the API key.
    pub user: String,
    /// The auth token, or the secret of the API key.
    pub password: SecretString,
}

/// A response with any status code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiResponse {
    /// The HTTP status code.
    pub status_code: u16,
    /// The URL that was requested.
    pub url: String,
    /// The headers of the response.
    pub headers: Headers,
    /// The body, complete.
    pub body: Vec<u8>,
}
