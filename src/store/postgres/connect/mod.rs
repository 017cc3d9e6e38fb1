//! Connections to a PostgreSQL server, for callers that block.

pub mod connection;
pub mod copy;
pub mod error;
pub mod pool;
pub mod tls;
pub mod url;
