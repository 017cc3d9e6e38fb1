//! An export that is made and kept.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::job::{ExportJob, JobProgress, JobWork};
use super::request::RequestedExport;
use super::running::{Ended, Running};
use crate::domain::hash::hex;
use crate::export::ExportProgress;
use crate::export::manifest::HashingWriter;
use crate::projection::verify::tree::root_at;

/// The disk space that exports leave free: the ledger is on the same disk, and its callbacks matter more.
const DISK_FREE_BYTES_MIN: u64 = 256 << 20;

/// Writes the file, and returns the job as it is when it is done.
pub fn run(
    running: &Running<'_>,
    export: ExportJob,
    requested: &RequestedExport,
) -> Result<ExportJob, Ended> {
    let (store, request) = (&*running.shared.store, &requested.request);
    let cannot_write = |error: io::Error| {
        Ended::failed(anyhow::Error::new(error).context("cannot write the file of the export"))
    };
    let mut file = running.shared.folder.create_file(running.job).map_err(cannot_write)?;
    let temporary = file.temporary_path().to_owned();
    let mut progress = Progress { running, temporary, rows: 0, disk_is_full: false };
    let mut out = HashingWriter::new(&mut file);
    let written = request.write(store, &requested.error_codes, &mut out, &mut progress);
    if progress.disk_is_full {
        return Err(Ended::Failed(format!(
            "less than {} MiB of the disk are free, which are left to the log; remove earlier exports, or \
             free other space",
            DISK_FREE_BYTES_MIN >> 20
        )));
    }
    let (hashed, _) = out.finish(export.file_name(), written?);
    let root = match request.view.masked {
        true => None,
        false => Some(hex(&root_at(store, request.view.pin)?)),
    };
    let rule = store.views().checkpoint()?.rule;
    file.finish().map_err(cannot_write)?;
    Ok(ExportJob {
        rows: hashed.rows,
        bytes: hashed.bytes,
        sha256: Some(hashed.sha256),
        rule: Some(rule.name().to_owned()),
        root,
        ..export
    })
}

/// Shows the progress of an export.
struct Progress<'a> {
    running: &'a Running<'a>,
    /// The file before it is complete.
    temporary: PathBuf,
    rows: u64,
    disk_is_full: bool,
}

/// The free space of a file's disk; `None` if it is not known.
fn disk_free(file: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(file).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

impl ExportProgress for Progress<'_> {
    fn rows(&mut self, count: u64) {
        self.rows += count;
    }

    fn page(&mut self, read: u64, all: u64) -> ControlFlow<()> {
        let free = disk_free(&self.temporary);
        self.disk_is_full = free.is_some_and(|free| free < DISK_FREE_BYTES_MIN);
        if self.disk_is_full {
            return ControlFlow::Break(());
        }
        let bytes = self.temporary.metadata().map_or(0, |file| file.len());
        self.running.update(|job| {
            job.progress = Some(JobProgress { read, all, findings: 0 });
            if let JobWork::Export(export) = &mut job.work {
                (export.rows, export.bytes) = (self.rows, bytes);
            }
        })
    }
}
