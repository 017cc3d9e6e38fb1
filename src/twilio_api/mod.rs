//! Twilio's REST API, as far as messages go
//! (<https://www.twilio.com/docs/messaging/api/message-resource>): made, fetched, listed.
//!
//! Every call blocks, ends within named times, and gives Twilio's answer as it came.

mod client;
mod failure;
mod messages;
mod page;
mod refusal;

pub use client::{ANSWER_TIMEOUT, Answer, Client, Credentials, Limits};
pub use failure::Failure;
pub use messages::{Window, message_url, messages_url};
pub use page::{Page, PageError};
pub use refusal::Refusal;
