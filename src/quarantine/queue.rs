//! Rejected requests that wait to be written, in two lanes: those that are recognised go first and
//! have room of their own.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::keeper::Refused;

/// How many requests one lane holds. At the rates that are admitted this is a quarter of a second
/// and more, and a transaction takes milliseconds.
const REQUESTS_MAX: usize = 512;

/// How many bytes the bodies of one lane may take: a body may have 1 MiB.
const BODY_BYTES_MAX: usize = 16 << 20;

/// See the module.
#[derive(Default)]
pub struct Queue(Mutex<Lanes>);

#[derive(Default)]
struct Lanes {
    recognised: Lane,
    others: Lane,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Refused>,
    body_bytes: usize,
}

impl Queue {
    /// Adds a request to its lane; false if that is full.
    pub fn push(&self, refused: Refused) -> bool {
        let mut lanes = self.lanes();
        match refused.request.recognised {
            true => lanes.recognised.push(refused),
            false => lanes.others.push(refused),
        }
    }

    /// The next ones, at most `limit`, the recognised ones first.
    pub fn take(&self, limit: usize) -> Vec<Refused> {
        let mut lanes = self.lanes();
        let mut taken = lanes.recognised.take(limit);
        let left = limit - taken.len();
        taken.extend(lanes.others.take(left));
        taken
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn push(&mut self, refused: Refused) -> bool {
        let bytes = refused.request.body.len();
        if self.waiting.len() >= REQUESTS_MAX || self.body_bytes + bytes > BODY_BYTES_MAX {
            return false;
        }
        self.body_bytes += bytes;
        self.waiting.push_back(refused);
        true
    }

    fn take(&mut self, limit: usize) -> Vec<Refused> {
        let taken: Vec<_> = self.waiting.drain(..limit.min(self.waiting.len())).collect();
        self.body_bytes -= taken.iter().map(|refused| refused.request.body.len()).sum::<usize>();
        taken
    }
}
