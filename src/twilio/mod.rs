//! Twilio's formats: signatures, callbacks and Message resources. All functions are pure: bytes in, values
//! out, no clock and no I/O.

pub mod accounts;
pub mod callback;
pub mod callback_path;
pub mod diagnosis;
mod direction;
pub mod event_sids;
pub mod event_stream;
pub mod failure_texts;
pub mod form;
pub mod headers;
pub mod json;
pub mod parameters;
pub mod resource;
mod shape;
pub mod signature;
pub mod tags;
