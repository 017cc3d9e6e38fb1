//! The words and the rules, as plain values and plain functions: no clock, no SQL, no HTTP.

pub mod channel;
pub mod country;
pub mod deciding;
pub mod digest;
pub mod duration;
pub mod error_code;
pub mod error_codes;
pub mod event;
pub mod filter;
pub mod histogram;
pub mod kinds;
pub mod lifecycle;
pub mod media_type;
pub mod message_ref;
pub mod rollup;
pub mod rule;
pub mod sid;
pub mod simulated;
pub mod status;
pub mod status_reported;
pub mod status_times;
pub mod timestamp;

pub use error_code::ErrorCode;
pub use event::{NewEvent, Position, RecordedEvent, Source};
pub use lifecycle::{Effect, Lifecycle};
pub use media_type::BodyKind;
pub use rule::Rule;
pub use sid::{AccountSid, MessageKey, MessageSid};
pub use status::Status;
pub use status_reported::StatusReported;
pub use timestamp::Timestamp;
