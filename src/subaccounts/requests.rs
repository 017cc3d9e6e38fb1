//! Requests to fetch the subaccounts, from the listener and the operator to the background thread.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::pace::Requested;

/// A handle that requests go through. Clones share it. Making one takes a moment and never blocks, and
/// many are worth no more than one, so the listener may make one for any callback that it rejects.
#[derive(Debug, Clone, Default)]
pub struct RefreshRequests(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    requested: Requested,
    is_stopped: bool,
}

impl RefreshRequests {
    /// A callback named an account that is not known, or signed with a token that is not.
    pub fn by_callback(&self) {
        let mut state = self.lock();
        if !state.requested.by_callback {
            state.requested.by_callback = true;
            self.0.changed.notify_all();
        }
    }

    /// The operator wants the present state, or has changed which accounts have subaccounts.
    pub fn by_operator(&self) {
        self.lock().requested.by_operator = true;
        self.0.changed.notify_all();
    }

    /// Ends every wait, now and later.
    pub fn stop(&self) {
        self.lock().is_stopped = true;
        self.0.changed.notify_all();
    }

    /// Waits until `wait` of what is requested is zero, and takes the requests; `None` after a stop.
    pub fn wait(&self, wait: impl Fn(Requested) -> Duration) -> Option<Requested> {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            let left = wait(state.requested);
            if left.is_zero() {
                return Some(std::mem::take(&mut state.requested));
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Flags are valid even if a thread panicked while it held the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
