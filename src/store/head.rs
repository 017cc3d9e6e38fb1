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
    /// See [`Head::read_again`].
    read_again_after: Option<Position>,
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

    /// Has the events after a position read again, which may have been read while the log was damaged. Until
    /// [`take_read_again`](Self::take_read_again) no wait lasts.
    pub fn read_again(&self, after: Position) {
        let mut state = self.lock();
        let earlier = state.read_again_after.map_or(after, |earlier| earlier.min(after));
        state.read_again_after = Some(earlier);
        self.moved.notify_all();
    }

    /// The position of [`read_again`](Self::read_again), once.
    pub fn take_read_again(&self) -> Option<Position> {
        self.lock().read_again_after.take()
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
            let goes_on = !state.ended && state.read_again_after.is_none();
            let waits = state.position < position && goes_on;
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
    fn no_wait_lasts_while_events_have_to_be_read_again() {
        let (head, deadline) = (Head::at(5), Instant::now() + Duration::from_secs(30));
        head.read_again(3);
        head.read_again(4);
        assert_eq!(head.wait(6, deadline), 5);
        assert_eq!(head.take_read_again(), Some(3), "the earlier one");
        assert_eq!(head.take_read_again(), None);
        assert!(Instant::now() < deadline, "it did not wait until the end");
    }

    #[test]
    fn who_waits_is_woken_at_their_own_position_and_no_later() {
        let (head, deadline) = (Head::at(2), Instant::now() + Duration::from_secs(30));
        // The lowest position that a thread waits for, once it is this one.
        let until_awaited = |position| {
            while head.lock().awaited != Some(position) {
                assert!(Instant::now() < deadline, "nobody waits for {position}");
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            let late = scope.spawn(|| head.wait(6, deadline));
            until_awaited(6);
            let early = scope.spawn(|| head.wait(4, deadline));
            until_awaited(4);

            head.advance(3);
            assert!(!early.is_finished() && !late.is_finished());
            head.advance(4);
            assert_eq!(early.join().unwrap(), 4);
            until_awaited(6);
            head.advance(7);
            assert_eq!(late.join().unwrap(), 7);
        });
        assert!(Instant::now() < deadline, "they were woken, and did not give up");
        assert_eq!(head.wait(8, Instant::now()), 7, "it has not got there");
    }
}
