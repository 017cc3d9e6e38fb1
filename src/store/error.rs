//! Errors of the store. Their texts are shown to users as they are.

use std::path::PathBuf;

use crate::domain::Position;

/// What a caller of the store can act on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{} is held by another process (a running serve, or a command at work); stop it, or name another ledger", path.display()
    )]
    Locked { path: PathBuf },

    #[error("{} is not the file that was opened: it was moved, removed or replaced while in use", path.display())]
    NotInPlace { path: PathBuf },

    #[error(
        "{} was changed by another program while it was in use: {detail}; leave its files to this \
         program, or stop it before they are restored",
        path.display()
    )]
    DamagedLog { path: PathBuf, detail: String, in_database: bool },

    #[error(
        "events that were acknowledged are missing from {}: {detail}; its files are left as they are: \
         put the right ones back, or stop the server, keep a copy of them, and restore the newest backup",
        path.display()
    )]
    LostEvents { path: PathBuf, detail: String },

    #[error("{} is a folder; name a file in it, such as {}", path.display(), path.join("ledger.db").display())]
    IsFolder { path: PathBuf },

    #[error("{} cannot be a ledger: {} is a file and no folder", path.display(), file.display())]
    InFile { path: PathBuf, file: PathBuf },

    #[error("there is no ledger at {}; serve makes one, and --database or DELIVERY_LEDGER_DATABASE names another", path.display())]
    NotFound { path: PathBuf },

    #[error("{} was written by a newer version (schema {found}, this version knows {known}); use that version", path.display())]
    NewerVersion { path: PathBuf, found: u32, known: u32 },

    #[error("{} is no delivery-ledger database: {detail}", path.display())]
    NotALedger { path: PathBuf, detail: String },

    #[error("{} is there already, and nothing is written over it; name another place, or move it away", path.display())]
    AlreadyExists { path: PathBuf },

    #[error(
        "{} was left by a database that is no longer there, and belongs to no other; it may hold \
         events that were acknowledged: put it back beside the ledger it was beside, or move it away",
        path.display()
    )]
    Leftover { path: PathBuf },

    #[error(
        "{} does not belong to {}: {detail}; if the ledger was restored from a copy, move it away, \
         else put back the ledger that it was beside",
        wal.display(),
        path.display()
    )]
    ForeignWal { wal: PathBuf, path: PathBuf, detail: String },

    #[error(
        "{} is the same file under another name (a hard link); SQLite would write to it past this \
         one: remove the other name, or make a copy",
        path.display()
    )]
    OtherName { path: PathBuf },

    #[error("cannot {act} {}: {cause}", path.display())]
    File { act: &'static str, path: PathBuf, cause: std::io::Error },

    #[error("event {position} cannot be read: {detail}")]
    Unreadable { position: Position, detail: String },

    #[error("there is no event at position {position}")]
    NoSuchEvent { position: Position },

    #[error("the views hold something they cannot hold: {detail}")]
    DamagedViews { detail: String },

    #[error("{} is being rebuilt by another replay; wait until that has ended", path.display())]
    Replaying { path: PathBuf },

    #[error("the views' checkpoint was moved by another projection")]
    CheckpointMoved,

    #[error("stopped before the end was reached")]
    Cancelled,

    #[error("another program is writing to the ledger's file and does not let go of it")]
    Busy,

    #[error("the log was closed after an error and has not been opened again")]
    NeedsReopen,

    #[error("{0} (ledger opened for reading only)")]
    ReadOnly(&'static str),

    #[error("{act}: {cause}")]
    Engine { act: String, cause: Box<dyn std::error::Error + Send + Sync> },
}
