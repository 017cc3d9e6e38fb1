//! The thread of a target: follows the log for as long as the server runs.

use std::time::Duration;

use tokio::runtime;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::background::Background;
use crate::forward::follower::Follower;
use crate::forward::job::{ForwardError, Job};

/// How much lower than that of other threads the priority is (nice(2)). When the processor is busy, callbacks
/// are stored first, and forwarded later.
const NICENESS: i32 = 10;

/// The wait before a target that has stopped with an error is started again.
const RESTART_WAIT: Duration = Duration::from_secs(1);

/// A running target.
pub struct Handle {
    stop: watch::Sender<bool>,
    thread: Background,
}

impl Handle {
    /// Asks the thread to end; requests that are being sent have a moment for their answer.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts the thread of a target.
pub fn start(job: Job) -> Handle {
    let (stop, stopped) = watch::channel(false);
    let name = format!("to {}", job.target.name);
    Handle { stop, thread: Background::spawn(&name, move |_| run(&job, stopped)) }
}

fn run(job: &Job, mut stopped: watch::Receiver<bool>) {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "the priority of forwarding cannot be lowered");
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime needs a few file descriptors");
    runtime.block_on(async {
        let mut logged = None;
        while let Err(error) = follow(job, &mut stopped).await {
            let (name, error) = (&job.target.name, error.to_string());
            // One that repeats is logged once.
            if logged.as_ref() != Some(&error) {
                tracing::error!(target_name = name, %error, "forwarding has stopped");
            }
            logged = Some(error);
            job.metrics.stopped();
            tokio::select! {
                () = sleep(RESTART_WAIT) => {}
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
        }
    });
}

async fn follow(job: &Job, stopped: &mut watch::Receiver<bool>) -> Result<(), ForwardError> {
    Follower::resume(job)?.run(stopped).await
}
