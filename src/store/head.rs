//! The head as something one can wait for: how the writer wakes whoever reads on.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::Position;

/// A position in the log that grows, and that others can wait for.
#[derive(Debug, Default)]
pub struct Head {
    position: Mutex<Position>,
    moved: Condvar,
}

impl Head {
    /// Starts at a position.
    pub fn at(position: Position) -> Self {
        Self { position: Mutex::new(position), moved: Condvar::new() }
    }

    /// The position now.
    pub fn position(&self) -> Position {
        *self.lock()
    }

    /// Moves it forward and wakes all who wait.
    pub fn advance(&self, to: Position) {
        let mut position = self.lock();
        *position = to.max(*position);
        self.moved.notify_all();
    }

    /// Puts it where it is now known to be, also backwards.
    pub fn set(&self, to: Position) {
        *self.lock() = to;
        self.moved.notify_all();
    }

    /// Wakes all who wait although nothing has come, so that they look whether to stop.
    pub fn nudge(&self) {
        let _position = self.lock();
        self.moved.notify_all();
    }

    /// Waits until the head is at or beyond a position, at most until the deadline or one nudge.
    pub fn wait(&self, position: Position, deadline: Instant) -> Position {
        let now = self.lock();
        if *now >= position {
            return *now;
        }
        let left: Duration = deadline.saturating_duration_since(Instant::now());
        let waited = self.moved.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner);
        *waited.0
    }

    fn lock(&self) -> MutexGuard<'_, Position> {
        // A number is whole whatever happened to the thread that held the lock.
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
