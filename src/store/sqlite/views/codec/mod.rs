//! The compact encoding of what the views keep of a message, and of the roll-ups.

pub mod event;
pub mod lifecycle;
pub mod rollup;
pub mod varint;
