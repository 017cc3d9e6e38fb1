//! Checks on what is done regularly with the log: reconciling, backups and seals.

pub mod maintenance;
pub mod seals;
