//! The parts of the list of messages: its query, its rows, and the numbers above it.

pub mod counts;
pub mod details;
pub mod query;
pub mod row;
