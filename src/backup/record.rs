//! Record of the last backup, a small JSON value that the ledger keeps.
//! It is only shown to operators; nothing else relies on it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::VerifiedCopy;
use crate::domain::hash::hex;
use crate::domain::{Position, Timestamp};
use crate::store::{KeptValue, Store, StoreError};

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

/// The last backup of this ledger; `None` if there is no record of one.
pub fn last_backup(store: &dyn Store) -> Option<LastBackup> {
    let bytes = store.kept(KeptValue::Backup).ok()??;
    let last: LastBackup = serde_json::from_slice(&bytes).ok()?;
    (last.ledger_id == store.ledger_id().to_string()).then_some(last)
}

/// Records a backup.
pub fn write_record(
    store: &dyn Store,
    to: &Path,
    copied: &VerifiedCopy,
    ended_at: Timestamp,
) -> Result<(), StoreError> {
    let failed = |cause| StoreError::File { act: "find", path: to.to_owned(), cause };
    let last = LastBackup {
        ledger_id: store.ledger_id().to_string(),
        ended_at: ended_at.to_string(),
        file: to.canonicalize().map_err(failed)?,
        position: copied.head,
        hash: hex(&copied.hash),
    };
    let json = serde_json::to_vec_pretty(&last).expect("the record is JSON");
    store.keep(KeptValue::Backup, &json)
}
