//! What Twilio sends and how it signs: bytes in, facts out. No clock, no I/O.

pub mod accounts;
pub mod callback;
pub mod callback_path;
pub mod cause;
mod direction;
pub mod form;
pub mod headers;
pub mod json;
pub mod parameters;
pub mod resource;
mod shape;
pub mod signature;
