//! Twilio's side of a callback: how it is signed, and what its bytes say. Bytes in, values out; no
//! clock, no I/O.

pub mod accounts;
pub mod callback;
pub mod callback_path;
pub mod diagnosis;
mod direction;
pub mod form;
pub mod headers;
pub mod json;
pub mod parameters;
pub mod resource;
mod shape;
pub mod signature;
