//! The compact encoding of messages and roll-ups as the views store them.

pub mod event;
pub mod flags;
pub mod kinds;
pub mod lifecycle;
pub mod rollup;
pub mod sid;
pub mod tags;
pub mod varint;
