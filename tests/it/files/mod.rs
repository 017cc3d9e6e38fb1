//! The files of a ledger: backups, generations of the views, the WAL, and files that do not belong together.

mod backup;
mod generations;
mod leftovers;
mod wal;
