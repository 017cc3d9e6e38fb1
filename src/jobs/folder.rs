//! The folder of a ledger's jobs: a record of each one that has ended, except of exports that have failed, and the
//! file of each export.
//!
//! A file gets its name when it is complete, and its record after that. So a file without a record was
//! interrupted, and is removed at the next start.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::job::{Job, JobWork};
use crate::atomic_file::{AtomicFile, OnExisting};

/// The extension of the folder: the jobs of `ledger.db` are in `ledger.jobs`.
const EXTENSION: &str = "jobs";

/// The mode of the folder, whose files contain addresses.
const MODE: u32 = 0o700;

/// The number of characters of a job's id.
const ID_CHARACTERS: usize = 36;

/// The folder, which need not exist before the first job has ended.
pub struct JobFolder {
    path: PathBuf,
    ledger_id: String,
}

/// The record of a job.
#[derive(Serialize, Deserialize)]
struct Record {
    ledger_id: String,
    job: Job,
}

impl JobFolder {
    /// The folder next to this log.
    pub fn of(log: &Path, ledger_id: Uuid) -> Self {
        Self { path: log.with_extension(EXTENSION), ledger_id: ledger_id.to_string() }
    }

    /// Reads the records, and removes what belongs to none of them: what a kill has interrupted, and the
    /// jobs of a ledger that had the same path before.
    pub fn load(&self) -> io::Result<Vec<Job>> {
        let names = match fs::read_dir(&self.path) {
            Ok(found) => found.map(|file| Ok(file?.file_name())).collect::<io::Result<Vec<_>>>()?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names: Vec<_> = names.iter().filter_map(|name| name.to_str()).collect();
        let ids = names.iter().filter_map(|name| name.strip_suffix(".json"));
        let jobs: Vec<Job> = ids.filter_map(|id| self.read_record(id)).collect();
        for name in names {
            let is_of_a_job = jobs
                .iter()
                .any(|job| name == record_name(&job.id) || Some(name) == file_name(job).as_deref());
            if is_made_here(name) && !is_of_a_job {
                fs::remove_file(self.path.join(name))?;
            }
        }
        Ok(jobs)
    }

    /// Removes every file, also that of an export that is being made, which then fails. Returns how many.
    pub fn remove_all(&self) -> io::Result<u64> {
        let mut removed = 0;
        // A record may have been written after its file was removed.
        loop {
            match self.remove_found()? {
                0 => return Ok(removed),
                found => removed += found,
            }
        }
    }

    fn remove_found(&self) -> io::Result<u64> {
        let files = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            files => files?,
        };
        let mut removed = 0;
        for file in files {
            let name = file?.file_name();
            if name.to_str().is_some_and(is_made_here) {
                match fs::remove_file(self.path.join(&name)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => removed += 1,
                }
            }
        }
        Ok(removed)
    }

    /// Begins the file of an export.
    pub fn create_file(&self, job: &Job) -> io::Result<AtomicFile> {
        let name = file_name(job).ok_or(ErrorKind::InvalidInput)?;
        self.create(&name)
    }

    /// Opens the file of an export that is done.
    pub fn open_file(&self, job: &Job) -> io::Result<File> {
        let name = file_name(job).ok_or(ErrorKind::NotFound)?;
        File::open(self.path.join(name))
    }

    /// Writes the record of a job that has ended; none of an export without a file. Its filters may be an address
    /// that was erased, with the file, while it was made.
    pub fn write_record(&self, job: &Job) -> io::Result<()> {
        if self.lacks_file(job) {
            return Ok(());
        }
        let record = Record { ledger_id: self.ledger_id.clone(), job: job.clone() };
        let mut file = self.create(&record_name(&job.id))?;
        serde_json::to_writer(&mut file, &record)?;
        file.write_all(b"\n")?;
        file.finish()?;
        if self.lacks_file(job) {
            self.remove(job);
        }
        Ok(())
    }

    /// Whether a job is an export whose file is not there.
    fn lacks_file(&self, job: &Job) -> bool {
        file_name(job).is_some_and(|name| !self.path.join(name).is_file())
    }

    /// Removes the files of a job, the record first.
    pub fn remove(&self, job: &Job) {
        for name in [Some(record_name(&job.id)), file_name(job)].into_iter().flatten() {
            match fs::remove_file(self.path.join(&name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(%error, name, "a file of a job cannot be removed");
                }
                _ => {}
            }
        }
    }

    fn create(&self, name: &str) -> io::Result<AtomicFile> {
        match DirBuilder::new().mode(MODE).create(&self.path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        AtomicFile::create(&self.path.join(name), OnExisting::Replace)
    }

    /// The job of a record; `None` if it is of another ledger or another version, or its file is missing.
    fn read_record(&self, id: &str) -> Option<Job> {
        let json = fs::read(self.path.join(record_name(id))).ok()?;
        let Record { ledger_id, job } = serde_json::from_slice(&json).ok()?;
        let is_whole = match &job.work {
            JobWork::Export(export) if export.sha256.is_some() => {
                self.path.join(file_name(&job)?).is_file()
            }
            _ => true,
        };
        (ledger_id == self.ledger_id && job.id == id && job.has_ended() && is_whole).then_some(job)
    }
}

fn record_name(id: &str) -> String {
    format!("{id}.json")
}

/// The name of the file of an export; `None` for other jobs. It differs from that of the record, also if
/// the format is JSON.
fn file_name(job: &Job) -> Option<String> {
    match &job.work {
        JobWork::Export(export) => Some(format!("{}.{}", job.id, export.format.name())),
        JobWork::Verify(_) | JobWork::DryRun(_) => None,
    }
}

/// Whether a file has a name that this module gives: the id of a job, perhaps unfinished.
fn is_made_here(name: &str) -> bool {
    let id = name.strip_prefix('.').unwrap_or(name).split_at_checked(ID_CHARACTERS);
    id.is_some_and(|(id, rest)| Uuid::try_parse(id).is_ok() && rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use super::{JobFolder, record_name};
    use crate::export::{Content, FileFormat};
    use crate::jobs::job::{ExportJob, Job, JobState, JobWork};

    fn export() -> Job {
        let export = ExportJob {
            content: Content::Messages,
            format: FileFormat::Csv,
            filters: BTreeMap::from([("to".to_owned(), "+15558675399".to_owned())]),
            tag_columns: Vec::new(),
            masked: false,
            as_of_position: 1,
            rows: 0,
            bytes: 0,
            sha256: None,
            rule: None,
            root: None,
        };
        Job {
            id: Uuid::now_v7().to_string(),
            work: JobWork::Export(export),
            state: JobState::Failed,
            started_by: "audit".to_owned(),
            created_at: "2026-01-02T03:04:05.000000Z".to_owned(),
            started_at: None,
            ended_at: None,
            expires_at: None,
            progress: None,
            error: None,
        }
    }

    /// Its filters may be an address that was erased while it was made.
    #[test]
    fn an_export_whose_file_was_removed_has_no_record() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = JobFolder::of(&folder.path().join("ledger.db"), Uuid::nil());
        let job = export();
        let has_record = || jobs.path.join(record_name(&job.id)).exists();
        jobs.write_record(&job).unwrap();
        assert!(!has_record());
        jobs.create_file(&job).unwrap().finish().unwrap();
        jobs.write_record(&job).unwrap();
        assert!(has_record());
        assert_eq!(jobs.remove_all().unwrap(), 2);
        jobs.write_record(&job).unwrap();
        assert!(!has_record());
    }
}
