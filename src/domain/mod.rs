//! The words and the rules, as plain values and plain functions: no clock, no SQL, no HTTP.

pub mod cell;
pub mod channel;
pub mod country;
pub mod digest;
pub mod duration;
pub mod error_code;
pub mod error_codes;
pub mod event;
pub mod filter;
pub mod heard;
pub mod kinds;
pub mod lifecycle;
pub mod reported;
pub mod rule;
pub mod sid;
pub mod simulated;
pub mod spread;
pub mod standing;
pub mod status;
pub mod timestamp;

pub use error_code::ErrorCode;
pub use event::{NewEvent, Position, RecordedEvent, Source};
pub use lifecycle::{Effect, Lifecycle};
pub use reported::StatusReported;
pub use rule::Rule;
pub use sid::{AccountSid, MessageKey, MessageSid};
pub use status::Status;
pub use timestamp::Timestamp;
