//! The callback listener: accepts Twilio's callbacks and nothing else.
//! [`listener`] and `request_heads` read the bytes, [`receive`] verifies and stores a callback, and
//! [`rejection`] handles those that any of them rejects.

pub mod listener;
mod metrics;
pub mod minute_counters;
mod misdirected;
mod receive;
mod rejection;
mod rejection_log;
mod request_heads;
mod routes;
mod state;

pub use self::state::CallbackState;
