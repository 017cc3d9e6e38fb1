//! When a ledger was last backed up, in a small file beside it. It is for whoever looks after the
//! ledger, and nothing else relies on it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::VerifiedCopy;
use crate::domain::digest::hex;
use crate::domain::{Position, Timestamp};

/// The last backup that was verified and got its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBackup {
    /// Of this ledger; another one may have been begun at its place.
    pub ledger_id: String,
    /// RFC 3339.
    pub ended_at: String,
    /// Where it was written; somebody may have moved it since.
    pub file: PathBuf,
    pub position: Position,
    pub hash: String,
}

/// `ledger.db` has it in `ledger.backup.json`.
pub fn record_file(ledger: &Path) -> PathBuf {
    ledger.with_extension("backup.json")
}

/// The last backup of this ledger; nothing where there was none, or nobody wrote it down.
pub fn last_backup(ledger: &Path, ledger_id: Uuid) -> Option<LastBackup> {
    let text = fs::read(record_file(ledger)).ok()?;
    let last: LastBackup = serde_json::from_slice(&text).ok()?;
    (last.ledger_id == ledger_id.to_string()).then_some(last)
}

/// Writes it down, whole or not at all. The folder may be one that is only read here.
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
    let folder = ledger.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(&serde_json::to_vec_pretty(&last)?)?;
    file.persist(record_file(ledger)).map(drop).map_err(|error| error.error)
}
