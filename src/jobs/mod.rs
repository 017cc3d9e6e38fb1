//! Jobs: work that continues after the response to the request that started it. Exports are made and kept;
//! verifications and dry runs of a replay keep their results.
//!
//! One job of each kind runs at a time. A job that is interrupted, even by a kill, leaves nothing.

mod dry_run;
mod export;
mod folder;
mod job;
mod list;
mod request;
mod running;
mod verify;

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use uuid::Uuid;

use self::folder::JobFolder;
pub use self::job::{
    DryRunJob, DryRunResult, ExportJob, Job, JobKind, JobProgress, JobState, JobWork,
    MessageChange, StatusChanges, VerifyFinding, VerifyJob, VerifyResult,
};
use self::list::JobList;
pub use self::request::{JobRequest, RequestedExport};
use self::running::{Ended, Running};
use crate::background::{Background, Stop};
use crate::domain::Timestamp;
use crate::export::manifest::Manifest;
use crate::store::{Database, Store};

/// How long a job is kept after its end, with its file: over a weekend and a few days more. Copies of
/// personal data should not pile up.
pub const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// The time between two searches for expired jobs.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(600);

/// How long running jobs may take to end at shutdown; they check once a page.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Why a job is not started.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum NotStarted {
    #[error("{0} jobs of this kind are waiting already; try again later")]
    TooMany(usize),
    #[error("the server is stopping")]
    Stopping,
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// Removes the files and records of a ledger's jobs, also next to a running server; returns how many files.
pub fn remove_files(database: &Database, ledger_id: Uuid) -> io::Result<u64> {
    JobFolder::of(&database.local_path(), ledger_id).remove_all()
}

/// The jobs of a server. Clones share them.
#[derive(Clone)]
pub struct Jobs(Arc<Shared>);

struct Shared {
    database: Database,
    store: Arc<dyn Store>,
    folder: JobFolder,
    list: JobList,
    stop: Stop,
}

impl Jobs {
    /// Reads the jobs that a ledger has from earlier, and removes what was interrupted. If they cannot be
    /// read, there are none: callbacks do not depend on them.
    pub fn open(database: Database, store: Arc<dyn Store>) -> Self {
        let folder = JobFolder::of(&database.local_path(), store.ledger_id());
        let jobs = folder.load().unwrap_or_else(|error| {
            tracing::warn!(%error, "the records of earlier jobs cannot be read");
            Vec::new()
        });
        let list = JobList::new(jobs);
        let shared = Arc::new(Shared { database, store, folder, list, stop: Stop::default() });
        let expiring = Arc::clone(&shared);
        let _detached = Background::spawn("jobs", move |_| expiring.remove_expired_until_stopped());
        Self(shared)
    }

    /// Starts a job for the holder of a token. It waits if another one of its kind is running.
    pub fn start(&self, request: JobRequest, started_by: &str) -> Result<Job, NotStarted> {
        let job = Job {
            id: Uuid::now_v7().to_string(),
            work: request.work(),
            state: JobState::Waiting,
            started_by: started_by.to_owned(),
            created_at: now().to_string(),
            started_at: None,
            ended_at: None,
            expires_at: None,
            progress: None,
            error: None,
        };
        let added = self.0.list.add(job.clone(), request)?;
        added.removed.iter().for_each(|removed| self.0.folder.remove(removed));
        if added.needs_thread {
            let (shared, kind) = (Arc::clone(&self.0), job.work.kind());
            // The name is one of those whose panics do not end the server.
            let thread = thread::Builder::new().name("job".to_owned());
            thread.spawn(move || shared.run_all(kind)).map_err(|error| {
                self.0.list.remove(&job.id);
                self.0.list.next(kind, "");
                NotStarted::Thread(error)
            })?;
        }
        Ok(job)
    }

    /// All jobs, newest first.
    pub fn all(&self) -> Vec<Job> {
        self.0.remove_expired();
        self.0.list.all()
    }

    /// The job with this id; `None` if it never existed, was removed, or has expired.
    pub fn get(&self, id: &str) -> Option<Job> {
        self.0.remove_expired();
        self.0.list.get(id)
    }

    /// Stops a job that has not ended, and removes it with its file. Returns false if there is no such
    /// job.
    pub fn remove(&self, id: &str) -> bool {
        let removed = self.0.list.remove(id);
        removed.iter().for_each(|job| self.0.folder.remove(job));
        removed.is_some()
    }

    /// Opens the file of an export that is done.
    pub fn open_file(&self, job: &Job) -> io::Result<File> {
        self.0.folder.open_file(job)
    }

    /// The manifest of an export; `None` until its file is complete.
    pub fn manifest(&self, export: &ExportJob) -> Option<Manifest> {
        export.manifest(self.0.store.ledger_id().to_string())
    }

    /// Ends all jobs, at shutdown.
    pub fn finish(&self) {
        self.0.list.close();
        self.0.stop.request();
        let deadline = Instant::now() + END_PATIENCE;
        while !self.0.list.is_idle() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Shared {
    /// Runs the jobs of one kind until none is waiting.
    fn run_all(&self, kind: JobKind) {
        while let Some((job, request)) = self.list.next(kind, &now().to_string()) {
            let running = Running { shared: self, job: &job };
            let result = catch_unwind(AssertUnwindSafe(|| run(&running, &request)));
            let result = result.unwrap_or_else(|_panic| {
                Err(Ended::Failed("an error in the program, which is logged".to_owned()))
            });
            self.end(job, result);
        }
    }

    /// Records the end of a job. The record is complete before the job is shown as ended.
    fn end(&self, begun: Job, result: Result<JobWork, Ended>) {
        let (state, work, error) = match result {
            Ok(work) => (JobState::Done, work, None),
            Err(Ended::Failed(error)) => (JobState::Failed, begun.work.clone(), Some(error)),
            Err(Ended::Stopped) => {
                self.list.remove(&begun.id);
                return;
            }
        };
        let ended_at = now();
        let kept_micros = i64::try_from(KEPT_FOR.as_micros()).unwrap_or(i64::MAX);
        let expires_at = Timestamp::from_micros(ended_at.micros().saturating_add(kept_micros));
        let job = Job {
            state,
            work,
            error,
            ended_at: Some(ended_at.to_string()),
            expires_at: Some(expires_at.to_string()),
            progress: None,
            ..begun
        };
        if let Err(error) = self.folder.write_record(&job) {
            tracing::warn!(%error, "the record of a job cannot be written; a restart loses it");
        }
        if let Some(error) = &job.error {
            tracing::warn!(job = job.id, error, "a job has failed");
        }
        if self.list.update(&job.id, |shown| *shown = job.clone()).is_break() {
            self.folder.remove(&job);
        }
    }

    fn remove_expired(&self) {
        let expired = self.list.take_expired(&now().to_string());
        expired.iter().for_each(|job| self.folder.remove(job));
    }

    fn remove_expired_until_stopped(&self) {
        while self.stop.sleep(EXPIRY_INTERVAL).is_continue() {
            self.remove_expired();
        }
    }
}

/// Does the work of a job, and returns it with its result.
fn run(running: &Running<'_>, request: &JobRequest) -> Result<JobWork, Ended> {
    match (request, running.job.work.clone()) {
        (JobRequest::Export(requested), JobWork::Export(job)) => {
            export::run(running, job, requested).map(JobWork::Export)
        }
        (JobRequest::Verify(expected), JobWork::Verify(job)) => {
            verify::run(running, job, *expected).map(JobWork::Verify)
        }
        (JobRequest::DryRun(rule), JobWork::DryRun(job)) => {
            dry_run::run(running, job, *rule).map(JobWork::DryRun)
        }
        _ => Err(Ended::Failed("the request is of another kind than the job".to_owned())),
    }
}

fn now() -> Timestamp {
    OffsetDateTime::now_utc().into()
}
