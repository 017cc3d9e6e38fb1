//! Record of the last backup, in a small JSON file next to the ledger.
//! It is only shown to operators; nothing else relies on it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::VerifiedCopy;
use crate::atomic_file::{AtomicFile, OnExisting};
use crate::domain::hash::hex;
use crate::domain::{Position, Timestamp};

/// The last backup that was verified and got its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBackup {
    /// The ledger that was backed up; by now, another one may be at its path.
    pub ledger_id: String,
    /// RFC 3339.
    pub ended_at: String,
    /// Where it was written; somebody may have moved it since.
    pub file: PathBuf,
    /// The last position of the copy.
    pub position: Position,
    /// The root of the tree there, in hexadecimal digits.
    pub hash: String,
}

/// The file of the record: `ledger.backup.json` for `ledger.db`.
pub fn record_file(ledger: &Path) -> PathBuf {
    ledger.with_extension("backup.json")
}

/// The last backup of this ledger; `None` if there is no record of one.
pub fn last_backup(ledger: &Path, ledger_id: Uuid) -> Option<LastBackup> {
    let text = fs::read(record_file(ledger)).ok()?;
    let last: LastBackup = serde_json::from_slice(&text).ok()?;
    (last.ledger_id == ledger_id.to_string()).then_some(last)
}

/// Writes the record atomically. The folder may be read-only, which is an error.
pub fn write_record(
    ledger: &Path,
    ledger_id: Uuid,
    to: &Path,
    copied: &VerifiedCopy,
    ended_at: Timestamp,
) -> std::io::Result<()> {
    let last = LastBackup {
        ledger_id: ledger_id.to_string(),
        ended_at: ended_at.to_string(),
        file: to.canonicalize()?,
        position: copied.head,
        hash: hex(&copied.hash),
    };
    let mut file = AtomicFile::create(&record_file(ledger), OnExisting::Replace)?;
    file.write_all(&serde_json::to_vec_pretty(&last)?)?;
    file.finish()
}
