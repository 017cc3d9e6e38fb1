//! The log in its SQLite file: appended to by one connection, read by many.

pub mod append;
pub mod copy;
pub mod envelope;
pub mod log_file;
pub mod missing;
pub mod read;
pub mod values;
