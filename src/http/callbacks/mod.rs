//! The callback listener: it takes Twilio's callbacks and nothing else.
//! [`receive`] is the path of an accepted callback, [`rejection`] that of a rejected one.

pub mod listener;
mod metrics;
mod misdirected;
mod receive;
mod rejection;
mod rejection_log;
mod request_heads;
mod routes;
mod state;

pub use self::state::CallbackState;
