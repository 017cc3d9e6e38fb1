//! Errors of the store. Their texts are shown to users as they are.

use std::path::PathBuf;

use crate::domain::Position;

/// An error of the store, by what its caller can do about it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum StoreError {
    #[error(
        "{place} is held by another process, such as a running server; stop that process or choose another ledger"
    )]
    Locked { place: String },

    #[error("{} is not the file that was opened: it was moved, removed or replaced while in use", path.display())]
    NotInPlace { path: PathBuf },

    #[error(
        "{} was changed by another program while it was in use: {detail}; let no other program \
         write to its files, and stop this one before restoring them",
        path.display()
    )]
    DamagedLog { path: PathBuf, detail: String, in_database: bool },

    #[error(
        "events that were acknowledged are missing from {place}: {detail}; its files were left unchanged: \
         put the right ones back, or stop the server, keep a copy of them and restore the newest backup"
    )]
    LostEvents { place: String, detail: String },

    #[error("{} is a folder; name a file in it, such as {}", path.display(), path.join("ledger.db").display())]
    IsFolder { path: PathBuf },

    #[error("{} cannot be a ledger: {} is a file, not a folder", path.display(), file.display())]
    InFile { path: PathBuf, file: PathBuf },

    #[error(
        "there is no ledger at {place}; create one with `serve`, or choose another with --database or DELIVERY_LEDGER_DATABASE"
    )]
    NotFound { place: String },

    #[error(
        "{place} was written by a newer version (schema {found}, this version knows {known}); use that version"
    )]
    NewerVersion { place: String, found: u32, known: u32 },

    #[error(
        "{} was written by version 0.1.0-dev, whose log has another format; export it with that version \
         (`export events --output events.ndjson`), and import the file into a new ledger with this one \
         (`import events.ndjson`)",
        path.display()
    )]
    UnreleasedVersion { path: PathBuf },

    #[error(
        "record {number} of the seals, of kind `{kind}`, is nothing that this version has written"
    )]
    UnreadableSeal { number: i64, kind: String },

    #[error("{place} is not a delivery-ledger database: {detail}")]
    NotALedger { place: String, detail: String },

    #[error("{} already exists and will not be overwritten; choose another path or move it first", path.display())]
    AlreadyExists { path: PathBuf },

    #[error(
        "{} was left by a database that no longer exists and may hold acknowledged events; put it \
         back next to its ledger, or move it away",
        path.display()
    )]
    Leftover { path: PathBuf },

    #[error(
        "{} does not belong to {}: {detail}; if the ledger was restored from a copy, move this file \
         away; otherwise put back the ledger that it belongs to",
        wal.display(),
        path.display()
    )]
    ForeignWal { wal: PathBuf, path: PathBuf, detail: String },

    #[error(
        "{} has a second name (a hard link), under which SQLite could write to it unnoticed; remove \
         that name or copy the file",
        path.display()
    )]
    OtherName { path: PathBuf },

    #[error("cannot {act} {}: {cause}", path.display())]
    File { act: &'static str, path: PathBuf, cause: std::io::Error },

    #[error("event {position} cannot be read: {detail}")]
    Unreadable { position: Position, detail: String },

    #[error("there is no event at position {position}")]
    NoSuchEvent { position: Position },

    #[error(
        "the log does not end with the event that the copy continues after, at position {position}"
    )]
    OtherEnd { position: Position },

    #[error("the views cannot be used: {detail}")]
    DamagedViews { detail: String },

    #[error("{place} is being rebuilt by another replay; wait until it has finished")]
    Replaying { place: String },

    #[error("another process has moved the views' checkpoint")]
    CheckpointMoved,

    #[error("the running node {name} keeps the views {detail}; configure the same on all nodes")]
    OtherNode { name: String, detail: String },

    #[error("stopped before the end was reached")]
    Cancelled,

    #[error("another program is writing to the ledger's file and keeps it locked")]
    Busy,

    #[error("the log was closed after an error and has not been reopened")]
    NeedsReopen,

    #[error("{0} (the ledger was opened read-only)")]
    ReadOnly(&'static str),

    #[error(
        "the database cannot be written: {detail}; name its primary, with a role that may write"
    )]
    NotWritable { detail: String },

    #[error(
        "the standby did not confirm what was written: {detail}; it may be on the primary alone, and is not acknowledged"
    )]
    NotReplicated { detail: String },

    #[error("{act}: {cause}")]
    Engine { act: String, cause: Box<dyn std::error::Error + Send + Sync> },
}
