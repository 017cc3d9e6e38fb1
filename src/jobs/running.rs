//! A running job: its connection to the list, and what ends it early.

use std::ops::ControlFlow;

use super::Shared;
use super::job::Job;
use crate::export::ExportError;
use crate::projection::ProjectionError;
use crate::projection::throttle::Throttle;
use crate::store::StoreError;

/// A job that its thread works on.
pub struct Running<'a> {
    pub shared: &'a Shared,
    /// The job as it was at its beginning.
    pub job: &'a Job,
}

/// Why a job has ended without a result.
#[derive(Debug)]
pub enum Ended {
    /// It was removed, or the server is stopping.
    Stopped,
    /// The reason.
    Failed(String),
}

impl Running<'_> {
    /// Changes what is shown of the job. Breaks if it has to end.
    pub fn update(&self, change: impl FnOnce(&mut Job)) -> ControlFlow<()> {
        self.shared.list.update(&self.job.id, change)
    }

    /// The same after a step of work, and a pause for callbacks.
    pub fn step(&self, callbacks: &mut Throttle, change: impl FnOnce(&mut Job)) -> ControlFlow<()> {
        // An error of the log is reported by the next read.
        let _paused = callbacks.pause(&*self.shared.store);
        self.update(change)
    }
}

impl Ended {
    /// A failure with its causes.
    pub fn failed(error: impl Into<anyhow::Error>) -> Self {
        Ended::Failed(format!("{:#}", error.into()))
    }
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cancelled => Ended::Stopped,
            error => Ended::failed(error),
        }
    }
}

impl From<ProjectionError> for Ended {
    fn from(error: ProjectionError) -> Self {
        match error {
            ProjectionError::Stopped => Ended::Stopped,
            ProjectionError::Store(error) => error.into(),
            error => Ended::failed(error),
        }
    }
}

impl From<ExportError> for Ended {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Stopped => Ended::Stopped,
            error => Ended::failed(error),
        }
    }
}
