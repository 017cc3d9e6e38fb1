//! The SQLite files of a ledger: how they are opened and locked, whose they are, and whether they are intact.

pub mod bounded_read;
pub mod check;
pub mod connect;
pub mod descriptor;
pub mod identity;
pub mod inspect;
pub mod lock;
pub mod paths;
pub mod readers;
pub mod wal_format;
pub mod wal_ownership;
pub mod watch;
