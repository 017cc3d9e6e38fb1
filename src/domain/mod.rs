//! The domain model: events, messages, statuses and rollups. Pure values and functions, without a
//! clock, SQL or HTTP.

pub mod account_names;
#[cfg(test)]
pub mod any_lifecycle;
pub mod carrier;
pub mod channel;
pub mod country;
pub mod digest;
pub mod error_code;
pub mod event;
pub mod hash;
pub mod logged_error;
pub mod media_type;
pub mod message;
pub mod price;
pub mod rollup;
pub mod rule;
pub mod sid;
pub mod similar;
pub mod statement;
pub mod status;
pub mod time;
pub mod tree;

pub use self::time::timestamp::Timestamp;
pub use error_code::{ErrorCode, ErrorCodes};
pub use event::{NewEvent, Position, RecordedEvent, Source};
pub use media_type::BodyKind;
pub use message::lifecycle::{Effect, Lifecycle};
pub use message::status_reported::StatusReported;
pub use rule::Rule;
pub use sid::{AccountSid, MessageKey, MessageSid};
pub use status::Status;
