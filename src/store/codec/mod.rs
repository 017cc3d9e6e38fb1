//! The compact encoding of events, messages and roll-ups in the rows of every engine.

pub mod address;
pub mod envelope;
pub mod flags;
pub mod headers;
pub mod lifecycle;
pub mod message;
pub mod rollup;
pub mod rollup_key;
pub mod sid;
pub mod tag_index;
pub mod values;
pub mod varint;

/// What is wrong with a column: its value is not this.
pub struct NotA(pub &'static str);
