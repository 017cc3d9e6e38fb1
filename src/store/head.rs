//! The head of the log as a value to wait for: the writer moves it, and readers are woken.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::domain::Position;

/// A position that threads and tasks can wait for.
#[derive(Debug, Default)]
pub struct Head {
    position: Mutex<Position>,
    moved: Condvar,
    /// The position again, for tasks.
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

    /// A receiver of the position and its changes, for tasks.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.watched.subscribe()
    }

    /// Moves the position forward and wakes everyone who waits; it never moves back.
    pub fn advance(&self, to: Position) {
        let mut position = self.lock();
        let to = to.max(*position);
        self.put(&mut position, to);
    }

    /// Sets the position, also backwards, and wakes everyone who waits.
    pub fn set(&self, to: Position) {
        self.put(&mut self.lock(), to);
    }

    /// Wakes everyone who waits without moving the position, so that they can check whether to stop.
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
