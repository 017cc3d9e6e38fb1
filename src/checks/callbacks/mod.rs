//! Checks on the callbacks that arrive: which are rejected, and why.

pub mod examine;
pub mod quarantine;
pub mod refusals;
pub mod silence;
