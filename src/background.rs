//! A background thread, and the signal that asks one to stop.

use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A thread with a name. Dropping this neither stops the thread nor waits for it.
#[derive(Debug)]
pub struct Background {
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Background {
    /// Starts a thread, whose work ends on its own or soon after a stop is requested.
    ///
    /// # Panics
    ///
    /// If the system cannot start a thread.
    pub fn spawn(name: &str, work: impl FnOnce(&Stop) + Send + 'static) -> Self {
        let stop = Stop::default();
        let asked = stop.clone();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&asked))
            .expect("the system starts a thread");
        Self { stop, thread }
    }

    /// Asks the thread to stop.
    pub fn stop(&self) {
        self.stop.request();
    }

    /// The signal that [`stop`](Self::stop) sends; it may outlive this handle.
    pub fn stop_signal(&self) -> Stop {
        self.stop.clone()
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until the thread has ended; the error is its panic.
    pub fn join(self) -> thread::Result<()> {
        self.thread.join()
    }
}

/// A request to stop that threads can sleep on. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    requested: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Asks the thread to stop, and wakes it if it sleeps.
    pub fn request(&self) {
        *self.lock() = true;
        self.0.changed.notify_all();
    }

    /// Whether the thread has been asked to stop.
    pub fn is_requested(&self) -> bool {
        *self.lock()
    }

    /// Sleeps for a time; breaks, without sleeping any longer, once a stop is requested.
    pub fn sleep(&self, duration: Duration) -> ControlFlow<()> {
        let waited = self.0.changed.wait_timeout_while(self.lock(), duration, |stop| !*stop);
        match *waited.unwrap_or_else(PoisonError::into_inner).0 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A flag is valid even if a thread panicked while it held the lock.
        self.0.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
