//! Points in time, durations and time zones.

pub mod duration;
pub mod retry_after;
pub mod timestamp;
pub mod zone;
