//! The log in SQLite: one connection appends, a pool of others reads.

pub mod append;
pub mod copy;
pub mod erase;
pub mod log_file;
pub mod missing;
mod opening;
pub mod read;
pub mod seals;
