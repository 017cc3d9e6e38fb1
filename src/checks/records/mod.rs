//! Checks on what is done regularly with the log: reconciling, backups, seals and erasures.

pub mod erasure;
pub mod maintenance;
pub mod seals;
