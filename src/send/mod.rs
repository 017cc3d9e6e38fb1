//! Sends messages, and feedback on them, and logs both the intent, before the request, and Twilio's
//! response.
//!
//! A message's lifecycle begins here, because Twilio sends no callback for its first status
//! (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).

mod attempt;
mod draft;
pub mod feedback;
pub mod idempotency;
pub mod note;
mod outcome;
mod request;

pub use self::attempt::Attempt;
pub use self::draft::{Draft, DraftError, check_callback};
pub use self::outcome::{Done, LoggedOutcome, SendOutcome};
pub use self::request::{Request, SendKind};
