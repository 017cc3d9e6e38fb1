//! The head of the log as a value to wait for: the writer moves it, and readers are woken.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::domain::Position;

/// A position that threads and tasks can wait for.
#[derive(Debug, Default)]
pub struct Head {
    state: Mutex<State>,
    moved: Condvar,
    /// The same position, for tasks.
    watched: watch::Sender<Position>,
}

#[derive(Debug, Default)]
struct State {
    position: Position,
    /// The lowest position that a thread waits for, so that the others are not woken by every commit.
    awaited: Option<Position>,
    /// True once every wait has ended.
    ended: bool,
}

impl Head {
    /// Starts at a position.
    pub fn at(position: Position) -> Self {
        Self {
            state: Mutex::new(State { position, ..State::default() }),
            moved: Condvar::new(),
            watched: watch::Sender::new(position),
        }
    }

    /// The current position.
    pub fn position(&self) -> Position {
        self.lock().position
    }

    /// A receiver of the position and its changes, for tasks.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.watched.subscribe()
    }

    /// Moves the position forward and wakes those who wait for it; it never moves back.
    pub fn advance(&self, to: Position) {
        let mut state = self.lock();
        let to = to.max(state.position);
        self.put(&mut state, to);
    }

    /// Sets the position, also backwards, and wakes those who wait for it.
    pub fn set(&self, to: Position) {
        self.put(&mut self.lock(), to);
    }

    /// Ends every wait, also those that begin later, so that threads can stop.
    pub fn end(&self) {
        self.lock().ended = true;
        self.moved.notify_all();
    }

    /// Waits until the head is at or beyond a position, at most until the deadline or the end of waits.
    pub fn wait(&self, position: Position, deadline: Instant) -> Position {
        let state = self.lock();
        let left: Duration = deadline.saturating_duration_since(Instant::now());
        let waits = |state: &mut State| {
            let waits = state.position < position && !state.ended;
            if waits {
                state.awaited = Some(state.awaited.map_or(position, |other| other.min(position)));
            }
            waits
        };
        let waited = self.moved.wait_timeout_while(state, left, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.position
    }

    fn put(&self, state: &mut State, to: Position) {
        if state.position == to {
            return;
        }
        state.position = to;
        // Those who still wait then say so again.
        if state.awaited.take_if(|awaited| *awaited <= to).is_some() {
            self.moved.notify_all();
        }
        self.watched.send_replace(to);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of another thread cannot have left it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_woken_at_their_own_position() {
        let head = Head::at(2);
        let soon = Instant::now() + Duration::from_secs(10);
        std::thread::scope(|scope| {
            let waiting = [3, 4, 4, 6].map(|position| {
                let head = &head;
                (position, scope.spawn(move || head.wait(position, soon)))
            });
            for to in 3..=6 {
                head.advance(to);
            }
            for (position, waiting) in waiting {
                assert!(waiting.join().unwrap() >= position);
            }
        });
        assert_eq!(head.wait(7, Instant::now()), 6, "it has not got there");
    }
}
