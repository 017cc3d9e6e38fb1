//! The head as something one can wait for: how the writer wakes whoever reads on.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::domain::Position;

/// A position in the log that grows, and that others can wait for.
#[derive(Debug, Default)]
pub struct Head {
    position: Mutex<Position>,
    moved: Condvar,
    /// The same for those who wait without a thread of their own.
    watched: watch::Sender<Position>,
}

impl Head {
    /// Starts at a position.
    pub fn at(position: Position) -> Self {
        Self {
            position: Mutex::new(position),
            moved: Condvar::new(),
            watched: watch::Sender::new(position),
        }
    }

    /// The position now.
    pub fn position(&self) -> Position {
        *self.lock()
    }

    /// The position from now on, to be awaited.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.watched.subscribe()
    }

    /// Moves it forward and wakes all who wait.
    pub fn advance(&self, to: Position) {
        let mut position = self.lock();
        let to = to.max(*position);
        self.put(&mut position, to);
    }

    /// Puts it where it is now known to be, also backwards.
    pub fn set(&self, to: Position) {
        self.put(&mut self.lock(), to);
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

    fn put(&self, position: &mut Position, to: Position) {
        *position = to;
        self.moved.notify_all();
        self.watched.send_replace(to);
    }

    fn lock(&self) -> MutexGuard<'_, Position> {
        // A number is whole whatever happened to the thread that held the lock.
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
