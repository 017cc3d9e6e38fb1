//! The parts of the page of error codes: how often each occurred, and what to look at.

pub mod advice;
pub mod trend;
