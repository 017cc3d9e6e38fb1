//! Seals: statements about the log that others can check.

pub mod timestamp;
