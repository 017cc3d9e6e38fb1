//! The list of jobs: which of them exist, and which one of each kind is running.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::NotStarted;
use super::job::{Job, JobKind, JobState};
use super::request::JobRequest;

/// The maximum number of jobs; beyond it, the oldest that have ended are removed. A page shows all of
/// them.
const JOBS_MAX: usize = 100;

/// The maximum number of jobs of one kind that wait for another: more than that is a program that
/// repeats its request.
const WAITING_MAX: usize = 10;

/// All jobs, the oldest first.
#[derive(Default)]
pub struct JobList(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    entries: Vec<Entry>,
    /// The kinds that have a thread.
    busy: BTreeSet<JobKind>,
    /// No job may begin or continue.
    closed: bool,
}

struct Entry {
    job: Job,
    /// `None` once it has begun.
    request: Option<JobRequest>,
}

/// The result of adding a job.
pub struct Added {
    /// True if no thread runs jobs of this kind, so that one has to be started.
    pub needs_thread: bool,
    /// The jobs that were removed in exchange.
    pub removed: Vec<Job>,
}

impl JobList {
    /// A list of jobs that have ended.
    pub fn new(mut jobs: Vec<Job>) -> Self {
        jobs.sort_by(|a, b| a.id.cmp(&b.id));
        let entries = jobs.into_iter().map(|job| Entry { job, request: None }).collect();
        Self(Mutex::new(Entries { entries, ..Entries::default() }))
    }

    /// Adds a job that waits.
    pub fn add(&self, job: Job, request: JobRequest) -> Result<Added, NotStarted> {
        let mut list = self.lock();
        if list.closed {
            return Err(NotStarted::Stopping);
        }
        let kind = job.work.kind();
        let is_waiting =
            |entry: &&Entry| entry.job.state == JobState::Waiting && entry.job.work.kind() == kind;
        if list.entries.iter().filter(is_waiting).count() >= WAITING_MAX {
            return Err(NotStarted::TooMany(WAITING_MAX));
        }
        let mut removed = Vec::new();
        while list.entries.len() >= JOBS_MAX {
            let Some(oldest) = list.entries.iter().position(|entry| entry.job.has_ended()) else {
                break;
            };
            removed.push(list.entries.remove(oldest).job);
        }
        list.entries.push(Entry { job, request: Some(request) });
        Ok(Added { needs_thread: list.busy.insert(kind), removed })
    }

    /// The next job of a kind, which is running from now on. `None` if there is none: its thread has to
    /// end.
    pub fn next(&self, kind: JobKind, now: &str) -> Option<(Job, JobRequest)> {
        let mut list = self.lock();
        let closed = list.closed;
        let mut waiting = list.entries.iter_mut().filter(|entry| entry.job.work.kind() == kind);
        let next = waiting.find_map(|entry| {
            let request = entry.request.take_if(|_| !closed)?;
            entry.job.state = JobState::Running;
            entry.job.started_at = Some(now.to_owned());
            Some((entry.job.clone(), request))
        });
        if next.is_none() {
            list.busy.remove(&kind);
        }
        next
    }

    /// Changes a running job. Breaks if it was removed, or the server is stopping: then it has to end.
    pub fn update(&self, id: &str, change: impl FnOnce(&mut Job)) -> ControlFlow<()> {
        let mut list = self.lock();
        let closed = list.closed;
        match list.entries.iter_mut().find(|entry| entry.job.id == id) {
            Some(entry) if !closed => {
                change(&mut entry.job);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        }
    }

    /// All jobs, newest first.
    pub fn all(&self) -> Vec<Job> {
        self.lock().entries.iter().rev().map(|entry| entry.job.clone()).collect()
    }

    /// The job with this id.
    pub fn get(&self, id: &str) -> Option<Job> {
        let list = self.lock();
        list.entries.iter().find(|entry| entry.job.id == id).map(|entry| entry.job.clone())
    }

    /// Removes the job with this id. If it is running, its thread notices at its next update.
    pub fn remove(&self, id: &str) -> Option<Job> {
        let mut list = self.lock();
        let at = list.entries.iter().position(|entry| entry.job.id == id)?;
        Some(list.entries.remove(at).job)
    }

    /// Removes the jobs that expire at this time or earlier.
    pub fn take_expired(&self, now: &str) -> Vec<Job> {
        // The texts of times sort by time.
        let has_expired = |job: &Job| job.expires_at.as_deref().is_some_and(|at| at <= now);
        let mut list = self.lock();
        let expired = list.entries.extract_if(.., |entry| has_expired(&entry.job));
        expired.map(|entry| entry.job).collect()
    }

    /// Ends all jobs that have not ended, and accepts no more.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// True if no job is running.
    pub fn is_idle(&self) -> bool {
        self.lock().busy.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{JOBS_MAX, JobList, WAITING_MAX};
    use crate::domain::Rule;
    use crate::jobs::job::{Job, JobKind, JobState};
    use crate::jobs::request::JobRequest;

    fn job(number: usize, state: JobState, request: &JobRequest) -> Job {
        Job {
            id: format!("{number:03}"),
            work: request.work(),
            state,
            started_by: "audit".to_owned(),
            created_at: "2026-01-02T03:04:05.000000Z".to_owned(),
            started_at: None,
            ended_at: None,
            expires_at: None,
            progress: None,
            error: None,
        }
    }

    fn add(list: &JobList, number: usize, request: JobRequest) -> Result<bool, String> {
        let added = list.add(job(number, JobState::Waiting, &request), request);
        added.map(|added| added.needs_thread).map_err(|refused| refused.to_string())
    }

    #[test]
    fn one_job_of_each_kind_runs_at_a_time_and_ten_more_wait() {
        let list = JobList::default();
        assert_eq!(add(&list, 0, JobRequest::Verify(None)), Ok(true));
        let running = list.next(JobKind::Verify, "now").unwrap().0;
        assert_eq!((&*running.id, running.state), ("000", JobState::Running));
        for number in 1..=WAITING_MAX {
            assert_eq!(add(&list, number, JobRequest::Verify(None)), Ok(false));
        }
        let refused = "10 jobs of this kind are waiting already; try again later";
        assert_eq!(add(&list, 11, JobRequest::Verify(None)), Err(refused.to_owned()));
        assert_eq!(add(&list, 12, JobRequest::DryRun(Rule::default())), Ok(true), "another kind");

        assert_eq!(list.next(JobKind::Verify, "now").unwrap().0.id, "001", "in their order");
    }

    #[test]
    fn a_kind_without_waiting_jobs_needs_a_new_thread() {
        let list = JobList::default();
        assert_eq!(add(&list, 0, JobRequest::Verify(None)), Ok(true));
        assert!(list.next(JobKind::Verify, "now").is_some());
        assert!(list.next(JobKind::Verify, "now").is_none());
        assert!(list.is_idle());
        assert_eq!(add(&list, 1, JobRequest::Verify(None)), Ok(true));
    }

    #[test]
    fn a_running_job_ends_if_it_is_removed_or_the_server_stops() {
        let list = JobList::default();
        for number in 0..2 {
            add(&list, number, JobRequest::Verify(None)).unwrap();
            list.next(JobKind::Verify, "now").unwrap();
            assert!(list.update(&format!("{number:03}"), |_| {}).is_continue());
        }
        assert_eq!(list.remove("000").unwrap().id, "000");
        assert!(list.update("000", |_| {}).is_break());
        assert!(list.update("001", |_| {}).is_continue());
        list.close();
        assert!(list.update("001", |_| {}).is_break());
        assert_eq!(
            add(&list, 2, JobRequest::Verify(None)),
            Err("the server is stopping".to_owned())
        );
    }

    #[test]
    fn the_oldest_ended_job_makes_room_for_a_new_one() {
        let ended = (0..JOBS_MAX).map(|n| job(n, JobState::Done, &JobRequest::Verify(None)));
        let list = JobList::new(ended.rev().collect());
        let request = JobRequest::Verify(None);
        let added = list.add(job(JOBS_MAX, JobState::Waiting, &request), request).unwrap();
        let removed: Vec<_> = added.removed.iter().map(|job| &*job.id).collect();
        assert_eq!(removed, ["000"]);
        assert_eq!((list.all().len(), &*list.all()[0].id), (JOBS_MAX, "100"));
    }
}
