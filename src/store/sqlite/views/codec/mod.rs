//! The compact encoding of messages and roll-ups as the views store them.

pub mod details;
mod event;
pub mod flags;
pub mod history;
pub mod kinds;
pub mod lifecycle;
pub mod rollup;
pub mod sid;
pub mod status;
pub mod tags;
pub mod varint;
