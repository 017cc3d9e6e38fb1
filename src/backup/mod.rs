//! Backup of a ledger's log as one verified file, and restore.

pub mod copy;
pub mod record;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::atomic_file::{AtomicFile, OnExisting};
use crate::domain::Timestamp;
use crate::domain::hash::Hash;
use crate::domain::{Position, Rule};
use crate::projection::compatibility::reset_if_incompatible;
use crate::projection::verify::{Expected, Finding, Pass, verify, verify_log};
use crate::projection::{ProjectionError, catch_up::Progress};
use crate::store::copy::{Vacant, copy_log, refuse_taken};
use crate::store::forward::fit::fit_to_log;
use crate::store::inspect::Files;
use crate::store::seals::{NewSealRecord, SealRecordKind};
use crate::store::{self, Access, Database, Store, StoreError};

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedCopy {
    /// The last position of the copy.
    pub head: Position,
    /// The root of the tree at the head.
    pub hash: Hash,
}

/// Why there is no copy. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum BackupError {
    #[error(transparent)]
    Store(#[from] StoreError),

    #[error(transparent)]
    Projection(#[from] ProjectionError),

    #[error("there is no file {} to restore from", path.display())]
    NotFound { path: PathBuf },

    #[error("cannot write {}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },

    /// What was copied is not as it should be.
    #[error("the log of {of} is damaged")]
    Unsound { of: Database, findings: Vec<Finding> },

    #[error("{to} is another ledger, or has other events; copy into a new one")]
    OtherLedger { to: Database },

    #[error("the copy is not what was copied; the disk that it was written to may be failing")]
    Differs { findings: Vec<Finding> },
}

/// Copies the log, up to the head it has now, into a new file at `to`, which appears once it is
/// whole, verified and on disk. A server may go on appending.
pub fn backup(
    from: &Database,
    to: &Path,
    progress: Progress<'_>,
) -> Result<VerifiedCopy, BackupError> {
    refuse_taken(to)?;
    match from.log_file() {
        Some(log) => copy_file(from, &log, to, progress),
        None => backup_of_server(from, to, progress),
    }
}

/// The backup of a ledger without files: a ledger in files, next to the backup, that is then copied like any
/// other. It has no views.
fn backup_of_server(
    from: &Database,
    to: &Path,
    progress: Progress<'_>,
) -> Result<VerifiedCopy, BackupError> {
    let failed = |cause| BackupError::File { path: to.to_owned(), cause };
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = tempfile::Builder::new()
        .prefix(".backup.unfinished-")
        .tempdir_in(folder.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    let log = folder.path().join("ledger.db");
    let staged = Database::Sqlite(log.clone());
    let copied = copy::copy(from, &staged, progress)?;
    let backup = copy_file(&staged, &log, to, progress)?;
    match backup == copied {
        true => Ok(backup),
        false => Err(BackupError::Differs { findings: Vec::new() }),
    }
}

/// Which origin the seals of a restored ledger have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The same as before: the backup has every event that was sealed.
    Same,
    /// Another one, because sealed events are lost: a second seal of as many events would contradict the first.
    New,
}

/// Makes a ledger of a backup, or of a copy of a stopped ledger's files, where there is none.
/// Views that are left there are kept where they fit, and emptied, aloud, where they do not; so are the states
/// of targets of forwarding.
pub fn restore(
    from: &Path,
    to: &Database,
    origin: Origin,
    progress: Progress<'_>,
) -> Result<VerifiedCopy, BackupError> {
    if !from.exists() {
        return Err(BackupError::NotFound { path: from.to_owned() });
    }
    let source = Database::Sqlite(from.to_owned());
    let copied = match to.log_file() {
        Some(log) => {
            let _vacant = Vacant::take(to)?;
            Files::of(&source).map_or(Ok(()), |files| files.refuse_foreign_wal())?;
            copy_file(&source, from, &log, progress)?
        }
        None => {
            refuse_existing(to)?;
            copy::copy(&source, to, progress)?
        }
    };
    let restored = store::open(to, Access::Write)?;
    if origin == Origin::New {
        restored.add_seal_records(&[NewSealRecord {
            kind: SealRecordKind::Branch,
            size: copied.head,
            recorded_at: Timestamp::from(OffsetDateTime::now_utc()),
            content: Uuid::now_v7().to_string().into_bytes(),
        }])?;
    }
    let built_by = restored.views().checkpoint().map_or(Rule::default(), |views| views.rule);
    reset_if_incompatible(&*restored, built_by)?;
    if let Err(error) = fit_forwarding(&*restored, to) {
        tracing::warn!("forwarding cannot continue next to the restored log: {error}");
    }
    Ok(copied)
}

fn fit_forwarding(restored: &dyn Store, database: &Database) -> Result<(), StoreError> {
    match store::open_forward_store(database)? {
        Some(mut forward) => fit_to_log(restored, &mut *forward),
        None => Ok(()),
    }
}

/// Fails if there is a ledger in a database.
fn refuse_existing(database: &Database) -> Result<(), StoreError> {
    match store::open(database, Access::Read) {
        Ok(_) => Err(StoreError::AlreadyExists { path: database.place().into() }),
        Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Copies a log's file, and reads both sides: the source must be sound, the copy must have the same root.
fn copy_file(
    from: &Database,
    log: &Path,
    to: &Path,
    progress: Progress<'_>,
) -> Result<VerifiedCopy, BackupError> {
    let failed = |cause| BackupError::File { path: to.to_owned(), cause };
    let file = AtomicFile::create(to, OnExisting::Keep).map_err(failed)?;
    let head = copy_log(log, file.temporary_path(), progress)?;
    let source = store::open(from, Access::Read)?;
    let sound = verify_log(&*source, head, progress)?;
    let Some(hash) = sound.hash.filter(|_| sound.findings.is_empty()) else {
        return Err(BackupError::Unsound { of: from.clone(), findings: sound.findings });
    };
    drop(source);
    let copied = store::open(&Database::Sqlite(file.temporary_path().to_owned()), Access::Read)?;
    let expected = (head > 0).then_some(Expected { position: head, hash });
    let verified = verify(&*copied, expected, &mut |step| match step.pass {
        Pass::Log => progress(step.position),
        Pass::Views => ControlFlow::Continue(()),
    })?;
    let finished = verified.unfinished.is_empty() && verified.head == head;
    if !verified.findings.is_empty() || !finished {
        return Err(BackupError::Differs { findings: verified.findings });
    }
    drop(copied);
    file.finish().map_err(failed)?;
    Ok(VerifiedCopy { head, hash })
}
