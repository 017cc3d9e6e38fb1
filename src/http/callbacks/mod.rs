//! The callback listener: accepts Twilio's callbacks and nothing else.
//! [`receive`] handles accepted callbacks, [`rejection`] rejected ones.

pub mod listener;
mod metrics;
mod misdirected;
mod receive;
pub mod recent;
mod rejection;
mod rejection_log;
mod request_heads;
mod routes;
mod state;

pub use self::state::CallbackState;
