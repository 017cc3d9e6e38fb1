//! The sizes of a ledger's files.

/// Bytes that a ledger takes on disk; 0 for a file that does not exist, `None` for what an engine does not have
/// or cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// The log's file.
    pub log: u64,
    /// The log's WAL.
    pub log_wal: Option<u64>,
    /// The views' file.
    pub views: u64,
    /// The views' WAL.
    pub views_wal: Option<u64>,
    /// Bytes that this process may still write to the log's disk.
    pub disk_free: Option<u64>,
}
