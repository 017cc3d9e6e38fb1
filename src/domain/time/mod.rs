//! Points in time, durations and time zones.

pub mod duration;
pub mod timestamp;
pub mod zone;
