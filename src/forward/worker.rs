//! The thread of a target: follows the log for as long as the server runs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::sync::watch;

use crate::background::Background;
use crate::domain::Position;
use crate::forward::follower::Follower;
use crate::forward::job::{ForwardError, Job};
use crate::projection::throttle;

/// The wait before a target that has stopped with an error is started again.
const RESTART_WAIT: Duration = Duration::from_secs(1);

/// How often a stop is looked for during that wait.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// The threads that look up the target's name, of each target.
const RESOLVERS: usize = 4;

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
    let name = format!("forward {}", job.target.name);
    Handle { stop, thread: Background::spawn(&name, move |_| run(&job, stopped)) }
}

fn run(job: &Job, mut stopped: watch::Receiver<bool>) {
    // When the processor is busy, callbacks are stored first, and forwarded later.
    throttle::lower_priority(throttle::NICEST);
    let mut begins_at = Some(job.head_at_start);
    let mut logged = None;
    loop {
        if !wait_for_lead(job, &stopped) {
            return;
        }
        let Err(error) = follow(job, &mut begins_at, &mut stopped) else { continue };
        let (name, error) = (&job.target.name, error.to_string());
        // One that repeats is logged once.
        if logged.as_ref() != Some(&error) {
            tracing::error!(target_name = name, %error, "forwarding has stopped");
        }
        logged = Some(error);
        job.metrics.stopped();
        let deadline = Instant::now() + RESTART_WAIT;
        while Instant::now() < deadline && !*stopped.borrow() {
            sleep(STOP_CHECK);
        }
    }
}

/// Waits until this node leads; false if it is to end.
fn wait_for_lead(job: &Job, stopped: &watch::Receiver<bool>) -> bool {
    if !job.lead.is_held() {
        job.metrics.leave();
    }
    while !job.lead.is_held() && !*stopped.borrow() {
        sleep(STOP_CHECK);
    }
    !*stopped.borrow()
}

fn follow(
    job: &Job,
    begins_at: &mut Option<Position>,
    stopped: &mut watch::Receiver<bool>,
) -> Result<(), ForwardError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(RESOLVERS)
        .build()
        .map_err(ForwardError::Runtime)?;
    runtime.block_on(async {
        let follower = Follower::resume(job, *begins_at)?;
        // Should its state be removed later, it begins with what arrives from then on.
        *begins_at = None;
        tokio::select! {
            outcome = follower.run(stopped) => outcome,
            // What it is sending is sent again by the node that leads now.
            () = job.lead.lost() => Ok(()),
        }
    })
}
