//! The log in PostgreSQL: one connection appends, a pool of others reads.

pub mod append;
pub mod check;
pub mod erase;
pub mod log_tables;
pub mod read;
pub mod seals;
