//! Checks on the callbacks that arrive: which are rejected, and why; and which do not arrive.

pub mod examine;
pub mod logged_errors;
pub mod quarantine;
pub mod refusals;
pub mod silence;
pub mod streams;
