//! The SQLite files of a ledger: paths, locks, connections, ownership and integrity.

pub mod bounded_read;
pub mod check;
pub mod connect;
pub mod descriptor;
pub mod identity;
pub mod inspect;
pub mod kept;
pub mod lock;
pub mod paths;
pub mod readers;
pub mod wal_format;
pub mod wal_ownership;
pub mod watch;
